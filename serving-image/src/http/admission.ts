/** What a request must be before its body is read: whose it is, and that somebody is there to answer it. */
import type { ServedModel } from '../model/served-model.ts';
import { notReady, type Refusal } from '../request/refusal.ts';
import type { Answering } from './answering.ts';
import type { Exchange } from './exchange.ts';
import type { ServerOptions } from './options.ts';

/** Calls `proceed` for whoever may ask, with the model; everybody else is refused. */
export function createAdmission(
  { state, metrics, authorize }: Pick<ServerOptions, 'state' | 'metrics' | 'authorize'>,
  { refuse }: Answering,
): <E extends Exchange>(exchange: E, proceed: (exchange: E, model: ServedModel) => void) => void {
  const enter = <E extends Exchange>(exchange: E, proceed: (exchange: E, model: ServedModel) => void): void => {
    try {
      const { model } = state;
      if (!model) throw notReady();
      proceed(exchange, model);
    } catch (error) {
      refuse(exchange, error);
    }
  };
  return (exchange, proceed) => {
    metrics.requestStarted();
    if (!authorize) {
      enter(exchange, proceed);
      return;
    }
    const goOn = (refusal: Refusal | undefined): void =>
      refusal ? refuse(exchange, refusal) : enter(exchange, proceed);
    try {
      const denied = authorize(exchange);
      if (denied instanceof Promise) denied.then(goOn, (error: unknown) => refuse(exchange, error));
      else goOn(denied);
    } catch (error) {
      refuse(exchange, error);
    }
  };
}
