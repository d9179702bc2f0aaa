// Hits wait here until the server has them. It answers 202 only for what it has on disk, so nothing is dropped
// before that; every hit has an id, so sending one twice counts once.

import { read, write } from '../shared/store';
import { uuid7 } from '../shared/uuid7';
import { ask } from './chat';
import { api, doc, on, post, say, silence } from './config';
import { consent, host, sender } from './identity';
import { view } from './view';

const AT_MOST = 20;
// What robots that drive a browser leave in it. They are counted, and can be told apart.
const ROBOTS = ['_phantom', '__nightmare'];

interface Hit {
  age_ms: number;
}

/** The first `flying` of them are on their way. */
let waiting: Hit[] = [];
let flying = 0;
let most = AT_MOST;
/** Since the server last answered. */
let failures = 0;

// What a reload would lose is kept for the tab's life, if anything may be kept.
const keep = () => write('hits', waiting[0] && consent() != 'none' ? JSON.stringify(waiting.slice(-AT_MOST)) : '');

export const restore = () => {
  waiting = JSON.parse(read('hits') || '[]');
};

// While a hit waits, its age is the moment it was made.
const aged = (from: number, most: number) =>
  waiting.slice(from, from + most).map((hit) => ({ ...hit, age_ms: Date.now() - hit.age_ms }));

const flush = async () => {
  // Nobody has seen a page without a view: it may be made ready in the background and thrown away.
  if (flying || !view.url_ || !waiting[0]) return;
  const batch = aged(0, most);
  flying = batch.length;
  try {
    const answer = await post('/v1/hit', batch);
    // Busy or away: that passes.
    if (answer.status == 429 || answer.status > 499) throw answer.headers.get('retry-after');
    // One bad hit spoils a whole body: alone, each is judged for itself.
    if (!answer.ok && flying > 1) throw 1;
    waiting.splice(0, flying);
    flying = failures = 0;
    most = AT_MOST;
    keep();
    if (!answer.ok) say('refused: ' + answer.status);
    else if ((await answer.json()).chat) ask();
    flush();
  } catch (seconds) {
    // To the end of the line: what never gets through must not hold up the rest.
    waiting = waiting.concat(waiting.splice(0, flying)).slice(-AT_MOST);
    flying = 0;
    most = 1;
    failures++;
    say('not sent: no answer');
    // Spread out, so that a server that comes back is not met by everybody at once.
    setTimeout(flush, (+(seconds as any) || 2 ** Math.min(failures, 8) * (1 + Math.random())) * 1e3);
  }
};
on('online', flush);

/** Counts something. What is known about the page and the visitor is added. */
export const hit = (name: string, props?: unknown, more?: object) => {
  host.heard?.(name); // a flow may begin with it
  host.chat?.heard(name); // or wait for it
  const reason = silence();
  if (reason) return say('not sent: ' + reason);
  waiting.push(
    // As it is now; and what cannot be written down fails here and not in the queue.
    JSON.parse(
      JSON.stringify({
        id: uuid7(),
        age_ms: Date.now(),
        ...sender(navigator.language),
        name,
        url: (view.url_ || location.href).slice(0, 2048),
        referrer: view.referrer_,
        title: doc.title,
        width: innerWidth,
        bot: navigator.webdriver ? 'webdriver' : ROBOTS.find((mark) => mark in window),
        props,
        ...more,
      }),
    ),
  );
  keep();
  if (!failures) setTimeout(flush);
};

/** The page goes away: what still waits goes with a beacon, which outlives it. */
export const leave = () => {
  const last = aged(flying, AT_MOST);
  // After a failure the beacon is only a guess: what it carries stays kept as well.
  if (view.url_ && last[0] && navigator.sendBeacon(api + '/v1/hit', JSON.stringify(last)) && !failures) {
    waiting.splice(flying, AT_MOST);
    keep();
  }
};
