// One form on its way: what goes with the answers, and what came of it.

import { adopt } from '../shared/adopt';
import { complain } from '../shared/dom';
import type { Host } from '../shared/host';
import type { Definition, Problem, Sent } from './wire';
import type { Words } from './words';

export type Values = Record<string, string | string[]>;

export interface Outcome {
  sent?: Sent;
  /** Sentences by field. */
  fields?: Record<string, string>;
  /** A sentence for the whole form. */
  trouble?: string;
}

export const load = (host: Host, name: string, language: string, own: boolean): Promise<Response> => {
  const { site, visitor } = host.sender(language);
  const asked = new URLSearchParams({ site, language });
  if (own) asked.set('own', '1');
  else if (visitor) asked.set('visitor', visitor);
  return fetch(`${host.api}/v1/forms/${encodeURIComponent(name)}?${asked}`);
};

/** Tells that somebody begins to fill the form in: once, and nothing of what is typed. */
export const teller = (host: Host, definition: Definition, language: string) => {
  let isTold = false;
  return (): void => {
    if (isTold) return;
    isTold = true;
    const { site } = host.sender(language);
    host.post(`/v1/forms/${encodeURIComponent(definition.form)}/begun`, { site, nonce: definition.nonce }).catch(complain);
  };
};

/** Sends a form once; what was typed stays with the caller. */
export const sender = (host: Host, definition: Definition, language: string, text: Words) => {
  let warned = false;
  return async (values: Values, agreed: string[], website: string): Promise<Outcome> => {
    const { site, visitor, consent, zone } = host.sender(language);
    try {
      const answer = await host.post(`/v1/forms/${encodeURIComponent(definition.form)}`, {
        site,
        values,
        visitor: definition.kiosk ? null : visitor,
        consent: definition.kiosk ? 'none' : consent,
        page: location.href,
        referrer: document.referrer,
        language,
        zone,
        nonce: definition.nonce,
        agreed,
        warned,
        website,
      });
      if (answer.ok) {
        const sent: Sent = await answer.json();
        if (sent.visitor && !definition.kiosk) adopt(host, sent.visitor, visitor);
        return { sent };
      }
      const problem: Problem = await answer.json().catch(() => ({}));
      warned = !!problem.warned;
      const trouble = answer.status === 429 ? text.busy : (answer.status < 500 && problem.detail) || text.away;
      return { fields: problem.fields, trouble };
    } catch (mistake) {
      complain(mistake);
      return { trouble: text.away };
    }
  };
};
