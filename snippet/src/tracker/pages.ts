// Page views, and how much of them was read: time in which the page was seen and in focus, and how far down.

import { doc, on, options, safe } from './config';
import { hit, leave, view } from './hits';

const isSeen = () => doc.visibilityState == 'visible';

let since = 0;
let engaged_ms = 0;
let scroll = 0;
let told = 0;

const clock = () => {
  const now = Date.now();
  // A machine that slept with the page open did not read for hours.
  if (since) engaged_ms += Math.min(now - since, 18e5);
  since = isSeen() && doc.hasFocus() ? now : 0;
};

const measure = () => {
  clock();
  scroll = Math.max(scroll, Math.min(100, ((scrollY + innerHeight) / doc.documentElement.scrollHeight) * 100) | 0);
};

const report = () => {
  measure();
  if (view.url_ && (engaged_ms > 999 || scroll > told)) hit('engagement', null, { engaged_ms, scroll });
  engaged_ms = 0;
  told = scroll;
};

/** Begins a page view, if the address is a new one (or `again`) and somebody can see the page. */
export const look = (again?: boolean) => {
  const url = options.hash == null ? location.href.split('#')[0]! : location.href;
  if (!isSeen() || (url == view.url_ && !again)) return;
  if (view.url_) {
    report();
    view.referrer_ = view.url_;
  }
  view.url_ = url;
  scroll = told = 0;
  clock(); // without a look at the height: the page is still being laid out
  hit('page');
};

/** Follows the page through its life; `moved` is called when its own script changed the address. */
export const follow = (moved: () => void) => {
  const later = () => setTimeout(safe(moved), 50); // the title comes after the address
  for (const name of ['pushState', 'replaceState'] as const) {
    const original = history[name];
    history[name] = function (this: History) {
      original.apply(this, arguments as never);
      later();
    };
  }
  on(window, 'popstate hashchange load', later);
  on(window, 'focus blur scroll', measure);
  on(window, 'pageshow', (event) => event.persisted && look(true));
  const gone = () => {
    report();
    leave();
  };
  on(window, 'pagehide', gone);
  on(window, 'visibilitychange', () => {
    if (!isSeen()) return gone();
    look();
    clock();
  });
};
