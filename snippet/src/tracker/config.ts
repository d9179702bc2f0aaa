// What the script tag says, and the few words every other file uses.

import { read } from '../shared/store';

export const doc = document;

const tag = doc.currentScript as HTMLScriptElement;

/** The `data-…` attributes of the script tag. */
export const options = tag.dataset;

/** The folder the script came from: the other files are its neighbours. */
export const home = tag.src.replace(/[^/]*$/, '');

/** A page with a nonce policy lets in only scripts that carry it. */
export const nonce = tag.nonce;

export const api = (options.api || home).replace(/\/$/, '');

export const language = () => options.language || doc.documentElement.lang || navigator.language;

export const zone = () => Intl.DateTimeFormat().resolvedOptions().timeZone;

export const say = (text: unknown) => console.info('embudo: ' + text);

/** Our mistakes stay ours: they never reach the page. */
export const safe =
  <A extends unknown[]>(act: (...given: A) => unknown) =>
  (...given: A) => {
    try {
      return act(...given);
    } catch (mistake) {
      say(mistake);
    }
  };

export const on = (target: EventTarget, names: string, act: (event: any) => unknown) =>
  names.split(' ').map((name) => target.addEventListener(name, safe(act), true));

const isLocal = (url: string) => /^file|\/\/(localhost|127\.|\[::1)/.test(url);

/** Why hits are not sent, or nothing. */
export const silence = () =>
  read('optout')
    ? 'optout'
    : top != self
      ? 'in a frame'
      : isLocal(location.href) && !isLocal(home) && options.localhost != 'on'
        ? 'localhost'
        : '';

/** JSON as plain text needs no preflight; `keepalive` lets it outlive the page. */
export const post = (path: string, body: unknown) =>
  fetch(api + path, { method: 'POST', body: JSON.stringify(body), keepalive: true });
