// Who this browser is, as far as it agreed to be someone.

import type { Consent, Host } from '../shared/host';
import { refuses } from '../shared/refusal';
import { read, write } from '../shared/store';
import { uuid7 } from '../shared/uuid7';
import { options } from './config';

/** Filled in `index.ts`. It also remembers what stands in no store: they may be forbidden, or not be used without consent. */
export const host = {} as Host;

export const consent = (): Consent => {
  const value = refuses() || read('optout') ? '' : read('consent') || host.agreed || options.consent;
  return value == 'analytics' || value == 'full' ? value : 'none';
};

const visitor = (): string | null => {
  if (consent() == 'none') return null;
  write('visitor', (host.known = read('visitor') || host.known || uuid7()));
  return host.known;
};

export const forget = () => {
  host.known = null;
  ['visitor', 'chat', 'outbox', 'hits'].map((key) => write(key));
  host.chat?.reset();
};

export const agree = (to: string) => {
  host.agreed = to;
  // Who refuses everywhere has nothing stored here, not even an answer.
  write('consent', refuses() ? '' : to);
  if (consent() == 'none') forget();
};

/** What every door wants to know about who asks. */
export const sender = (language: string) => ({
  site: options.site!,
  visitor: visitor(),
  consent: consent(),
  language,
  // `Temporal` knows it at once. The first formatter of a page looks through every language that the browser has, which
  // holds up a phone for longer than a page may be.
  zone: window.Temporal?.Now.timeZoneId?.() || Intl.DateTimeFormat().resolvedOptions().timeZone,
});
