// Page views, and how much of them was read: time in which the page was seen and in focus, and how far down.

import { doc, on, options, safe } from './config';
import { hit, leave } from './hits';
import { view } from './view';

/** Less is not worth a request of its own. */
const WORTH_MS = 3000;

const isSeen = () => doc.visibilityState == 'visible';

let since = 0;
let engaged_ms = 0;
let deepest = 0;
let height = 0;
let told = 0;

const clock = () => {
  const now = Date.now();
  // A machine that slept with the page open did not read for hours.
  if (since) engaged_ms += Math.min(18e5, now - since);
  since = isSeen() && doc.hasFocus() ? now : 0;
};

const measure = () => {
  clock();
  deepest = Math.max(deepest, scrollY + innerHeight);
  // Pages grow while they are read: the last height is the true one.
  height = doc.documentElement.scrollHeight;
};

const report = () => {
  clock();
  const scroll = Math.min(100, (deepest / height) * 100) | 0;
  if (view.url_ && (engaged_ms >= WORTH_MS || scroll > told)) {
    hit('engagement', null, { engaged_ms, scroll });
    engaged_ms = 0;
    told = scroll;
  }
};

/** Begins a page view, if the address is a new one and somebody can see the page. */
export const look = () => {
  const url = location.href.replace(options.hash == null ? /#.*/ : '', '');
  if (!isSeen() || url == view.url_) return;
  if (view.url_) {
    report();
    view.referrer_ = view.url_;
  }
  view.url_ = url;
  // Without a look at the height: the page is still being laid out.
  since = engaged_ms = deepest = told = 0;
  clock();
  hit('page');
};

/** Follows the page through its life; `moved` is called when its own script changed the address. */
export const follow = (moved: () => void) => {
  let timer = 0;
  const later = () => {
    clearTimeout(timer);
    timer = setTimeout(safe(moved), 50); // the title comes after the address
  };
  (['pushState', 'replaceState'] as const).map((name) => {
    const original = history[name];
    history[name] = (...given) => {
      measure(); // while it is still the old page
      original.apply(history, given);
      later();
    };
  });
  on('popstate hashchange load', later);
  on('focus blur scroll', measure);
  on('pageshow', (event) => {
    if (!event.persisted) return;
    // From the browser's cache: a view of its own, and the time in there was nobody's.
    view.referrer_ = view.url_;
    view.url_ = '';
    look();
  });
  const gone = () => {
    measure();
    report();
    leave();
  };
  on('pagehide', gone);
  on('visibilitychange', () => {
    if (isSeen()) {
      look();
      clock();
    } else gone();
  });
};
