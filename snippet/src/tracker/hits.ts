// Hits wait here until the server has them. It answers 202 only for what it has on disk, so nothing is dropped
// before that; every hit has an id, so sending one twice counts once.

import { read, write } from '../shared/store';
import { uuid7 } from '../shared/uuid7';
import { api, doc, post, say, silence } from './config';
import { consent, sender } from './identity';

const DOOR = '/v1/hit';
const AT_MOST = 20;

interface Hit {
  age_ms: number;
}

/** The page view that runs, and what to do when the server has a chat for it. */
export const view = { url_: '', referrer_: doc.referrer, ask_() {} };

let waiting: Hit[] = [];
let sending: Hit[] = [];
// After a failure: the timer of the next try.
let isLate = 0;

// What a reload would lose is kept for the tab's life, if anything may be kept.
const keep = () => {
  const all = sending.concat(waiting);
  write('hits', all[0] && consent() != 'none' ? JSON.stringify(all) : null, 1);
};

export const restore = () => {
  waiting = JSON.parse(read('hits', 1) || '[]');
};

// While a hit waits, its age is the moment it was made.
const aged = (hits: Hit[]) => hits.map((hit) => ({ ...hit, age_ms: Date.now() - hit.age_ms }));

export const flush = () => {
  if (sending[0] || !waiting[0]) return;
  sending = waiting.splice(0, AT_MOST);
  post(DOOR, aged(sending))
    .then((answer) => {
      // Busy or away: that passes. Anything else would be answered the same way again.
      if (answer.status == 429 || answer.status > 499) throw answer.headers.get('retry-after');
      sending = [];
      isLate = 0;
      keep();
      if (answer.ok) answer.json().then((told) => told.chat && view.ask_()).catch(say);
      else say('refused: ' + answer.status);
      flush();
    })
    .catch((seconds) => {
      waiting = sending.concat(waiting).slice(-AT_MOST);
      sending = [];
      // Spread out, so that a server that comes back is not met by everybody at once.
      isLate = setTimeout(flush, (+seconds || 4 + 8 * Math.random()) * 1e3);
    });
};

/** Counts something. What is known about the page and the visitor is added. */
export const hit = (name: string, props?: unknown, more?: object) => {
  const reason = silence();
  if (reason) return say('not sent: ' + reason);
  waiting.push({
    id: uuid7(),
    age_ms: Date.now(),
    ...sender(navigator.language),
    name,
    url: view.url_ || location.href,
    referrer: view.referrer_,
    title: doc.title,
    width: innerWidth,
    props: props || null,
    ...more,
  } as Hit);
  keep();
  if (!isLate) setTimeout(flush);
};

/** The page goes away: what still waits goes with a beacon, which outlives it. */
export const leave = () => {
  const last = waiting.slice(0, AT_MOST);
  // After a failure the beacon is only a guess: what it carries stays kept as well.
  if (last[0] && navigator.sendBeacon(api + DOOR, JSON.stringify(aged(last))) && !isLate) {
    waiting = [];
    keep();
  }
};
