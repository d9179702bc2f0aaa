// A recording inside a bubble, and which of its seconds were really seen.

import { address } from '../shared/address';
import { complain, h, icon } from '../shared/dom';
import type { Host } from '../shared/host';
import { icons } from './icons';
import type { Words } from './words';
import type { Video } from './wire';

export type Range = [number, number];
export type Report = (recording: string, ranges: Range[], duration_s: number) => Promise<unknown>;

/** While it plays, so often. */
const EVERY_S = 5;

/** `all` without what is in `known`; both sorted and without overlap. Crumbs below a tenth of a second are left out. */
export function without(all: Range[], known: Range[]): Range[] {
  let left = all;
  for (const [from, to] of known) {
    left = left.flatMap(([a, b]): Range[] => {
      if (to <= a || from >= b) return [[a, b]];
      return [
        [a, Math.min(b, from)],
        [Math.max(a, to), b],
      ];
    });
  }
  return left.filter(([a, b]) => b - a >= 0.1).map(([a, b]) => [round(a), round(b)]);
}

const round = (seconds: number) => Math.round(seconds * 100) / 100;

export function video(host: Host, body: Video, words: Words, report: Report, grow: () => void, isLarge: () => boolean): HTMLElement {
  const source = address(host, body.src);
  const player = h('video', {
    controls: true,
    playsinline: true,
    preload: 'metadata',
    poster: body.poster && address(host, body.poster),
    'aria-label': body.title,
  });
  if (body.captions?.length) {
    // Captions from another origin are only shown when the whole video is fetched by CORS.
    if (new URL(source, location.href).origin !== location.origin) player.crossOrigin = 'anonymous';
    for (const { src, language, label } of body.captions) {
      player.append(h('track', { kind: 'captions', src: address(host, src), srclang: language, label }));
    }
  }
  player.addEventListener('error', () => {
    if (!player.crossOrigin) return;
    // A server that does not answer CORS still shows the picture, without captions.
    player.removeAttribute('crossorigin');
    player.replaceChildren();
    player.src = source;
  });
  player.src = source;

  // The browser keeps the union of what was played; the server has `told`.
  let told: Range[] = [];
  let lastAt = 0;
  const seen = (): Range[] =>
    Array.from({ length: player.played.length }, (_, at) => [player.played.start(at), player.played.end(at)]);
  const tell = () => {
    const all = seen();
    const ranges = without(all, told);
    lastAt = player.currentTime;
    if (!ranges.length) return;
    const before = told;
    told = all;
    report(body.recording, ranges, round(player.duration || body.duration_s || 0)).catch((problem) => {
      // Not told after all: it goes with the next report.
      told = before;
      complain(problem);
    });
  };
  player.addEventListener('timeupdate', () => {
    if (Math.abs(player.currentTime - lastAt) >= EVERY_S) tell();
  });
  for (const name of ['pause', 'ended', 'seeking']) player.addEventListener(name, tell);
  addEventListener('pagehide', tell);
  document.addEventListener('visibilitychange', () => document.visibilityState === 'hidden' && tell());

  const size = h('button', {
    type: 'button',
    class: 'tool',
    'aria-label': words.watch,
    title: words.watch,
    onclick: () => {
      grow();
      draw();
    },
  });
  const draw = () => {
    size.setAttribute('aria-pressed', `${isLarge()}`);
    size.replaceChildren(icon(isLarge() ? icons.shrink : icons.grow));
  };
  draw();
  return h(
    'figure',
    { class: 'card video' },
    player,
    h(
      'figcaption',
      null,
      h('span', null, body.title),
      size,
    ),
  );
}
