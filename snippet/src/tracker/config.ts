// What the script tag says, and the few words every other file uses.

import { read } from '../shared/store';

export const doc = document;

// A module has no current script; then the tag is known by its site.
const tag = (doc.currentScript || doc.querySelector('script[data-site]')) as HTMLScriptElement;

/** The `data-…` attributes of the script tag. */
export const options = tag.dataset;

/** The folder the script came from: the other files are its neighbours. */
export const home = tag.src.replace(/[^/]*$/, '');

/** A page with a nonce policy lets in only scripts that carry it. */
export const nonce = tag.nonce;

export const api = (options.api || home).replace(/\/$/, '');

export const language = () => options.language || doc.documentElement.lang || navigator.language;

const said: Record<string, unknown> = {};
/** A hint for whoever looks into the console: each once, a page should not be flooded. */
export const say = (text: any) => {
  if (!said[text]) console.info((said[text] = 'embudo: ' + text));
};

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

/** Listens before the page does: what it stops has happened all the same. */
export const on = (names: string, act: (event: any) => unknown) =>
  names.split(' ').map((name) => addEventListener(name, safe(act), true));

const isLocal = (url: string) => /^file|\/\/(localhost|127\.|\[::1)/.test(url);

export const isFramed = top != self;

/** Why hits are not sent, or nothing. */
export const silence = () =>
  read('optout')
    ? 'optout'
    : isFramed && options.frame != 'on'
      ? 'in a frame'
      : isLocal(location.href) && !isLocal(home) && options.localhost != 'on'
        ? 'localhost'
        : '';

/** JSON as plain text needs no preflight; `keepalive` lets it outlive the page. */
export const post = (path: string, body: unknown) =>
  fetch(api + path, { method: 'POST', body: JSON.stringify(body), keepalive: true });
