/** The README's marked blocks: `<!-- begin NAME -->` … `<!-- end -->`, with one fenced block between. */

const escaped = (text: string) => text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');
const pattern = (name: string) => new RegExp(`(<!-- begin ${escaped(name)} -->\\n)([\\s\\S]*?)(<!-- end -->)`);

/** `text` with the block's content replaced; throws when there is no such block. */
export function replaceBlock(text: string, name: string, content: string, language: string): string {
  if (!pattern(name).test(text)) throw new Error(`the README has no block named ${name}`);
  const fenced = `\`\`\`${language}\n${content.trimEnd()}\n\`\`\`\n`;
  return text.replace(pattern(name), (_, begin, __, end) => `${begin}${fenced}${end}`);
}

/** The content of a block, without its fence; undefined when it is empty or missing. */
export const blockOf = (text: string, name: string): string | undefined =>
  /```[a-z]*\n([\s\S]*)\n```/.exec(pattern(name).exec(text)?.[2] ?? '')?.[1];
