/** Names for runs that were given none: an adjective, an animal, a number. */
import { randomInt } from 'node:crypto';

const adjectives =
  'able agile amber ample angry azure bold brave breezy bright brisk calm candid cheery chilly clever coral cosmic crisp curious daring dapper deft dusty eager earnest fair famous fancy fearless festive fleet fluffy fond frosty funny gentle giddy glad golden grand happy hardy hasty hazel honest humble icy jolly jovial keen kind lively loud loyal lucky lunar mellow merry mighty misty modest moody nimble noble patient peach placid plucky polite proud quick quiet rapid ready rosy rustic sage salty sandy serene shiny silent silver sleek smooth snowy solemn sturdy sunny swift tidy tranquil upbeat valiant velvet vivid warm wise witty zany zesty'.split(
    ' ',
  );
const animals =
  'adder alpaca ant badger bass bat bear beaver bee bison boar bream bug calf carp cat chimp clam cod colt conch cow crab crane crow deer dog dolphin donkey dove duck eagle eel elk ewe falcon fawn finch fish flea fly foal fox frog gnat goat goose grouse gull hare hawk hen heron hog horse hound jay kite koi lamb lark lion loon lynx mare midge mink mole moose moth mouse mule newt otter owl ox panda perch pig pike pony pug quail ram rat raven robin seal shad shark sheep shrew shrimp skink sloth slug snail snake snipe sparrow squid stag stoat stork swan tern toad trout turtle vole wasp whale wolf wren yak zebra'.split(
    ' ',
  );

const one = (words: readonly string[]): string => words[randomInt(words.length)] as string;

/** Such as `angry-robin-83`. */
export const randomRunName = (): string => `${one(adjectives)}-${one(animals)}-${randomInt(1000)}`;
