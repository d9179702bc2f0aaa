// moments.js: when a flow offers itself, after a time, far enough down the page, at rest, about to leave, or at an event
// of the page's own. It is fetched only for pages that the server has flows for.

import type { Host } from '../shared/host';
import { read } from '../shared/store';

/** A flow that the server has for this page. The first of its moments that comes counts. */
interface Offer {
  flow: string;
  open: boolean;
  delay_ms?: number;
  /** Percent of the page's height. */
  scroll?: number;
  /** Nothing was moved, typed, touched or scrolled for so long. */
  idle_ms?: number;
  exit_intent?: boolean;
  event?: string;
}

/** So long a dialog of the page is let be before it is looked again. */
const LATER_MS = 2000;
/** Scrolling up so fast is what a thumb does on its way to the address bar: pixels a millisecond. */
const FLICK = 2;

const moments = (host: Host) => {
  let stop = new AbortController();

  const asking = () => ({ ...host.sender(host.language()), ...host.page() });

  const arm = (offers: Offer[], again_ms?: number) => {
    const { signal } = stop;
    const talk = () => JSON.parse(read('chat') || '{}').conversation;
    const before = talk();
    const speak = (offer: Offer) => {
      const { flow, open } = offer;
      if (signal.aborted) return;
      // What the page asks of her comes first.
      if (document.querySelector('dialog[open],[aria-modal=true]')) return wait({ ...offer, delay_ms: LATER_MS });
      stop.abort(); // one flow a page: the others keep quiet
      // Whoever has opened the chat herself in the meantime is not talked over.
      if (talk() == before) host.launch({ flow, quiet: true, show: open });
    };
    const on = (target: EventTarget, name: string, act: (event: any) => void) =>
      target.addEventListener(name, act, { passive: true, signal });
    const wait = (offer: Offer) => {
      const timer = setTimeout(speak, offer.delay_ms, offer);
      signal.addEventListener('abort', () => clearTimeout(timer));
    };

    // What waits for an event of the page begins to wait for the rest when that has come.
    host.heard = (name) => offers.filter(({ event }) => event == name).map(begin);

    let from = scrollY;
    let at = Date.now();
    const share = () => ((scrollY + innerHeight) / document.documentElement.scrollHeight) * 100;
    const begin = (offer: Offer) => {
      if (signal.aborted) return;
      const { delay_ms, scroll, idle_ms, exit_intent } = offer;
      const far = () => scroll && share() >= scroll && speak(offer);
      if (delay_ms != null || !(scroll || exit_intent || idle_ms)) wait(offer);
      if (scroll) {
        on(window, 'scroll', far);
        far(); // a short page is read as soon as it is seen
      }
      if (idle_ms) {
        let timer: number;
        const anew = () => {
          clearTimeout(timer);
          // Whoever looks at something else is not spoken to: her rest begins when she is back.
          if (!document.hidden) timer = setTimeout(speak, idle_ms, offer);
        };
        for (const name of ['pointermove', 'pointerdown', 'keydown', 'scroll']) on(window, name, anew);
        on(document, 'visibilitychange', anew);
        anew();
      }
      if (exit_intent) {
        on(document, 'mouseout', ({ relatedTarget, clientY }) => !relatedTarget && clientY < 1 && speak(offer));
        on(window, 'scroll', () => {
          const now = Date.now();
          const speed = (from - scrollY) / Math.max(1, now - at);
          from = scrollY;
          at = now;
          if (matchMedia('(hover: none)').matches && speed > FLICK) speak(offer);
        });
      }
    };
    offers.filter(({ event }) => !event).map(begin);

    // Somebody of the company may speak first.
    if (again_ms) {
      const timer = setInterval(async () => {
        if (document.visibilityState != 'visible') return;
        try {
          const answer = await host.post('/v1/chat/called', asking());
          if (answer.status == 200) (await answer.json()).offers.map(begin);
        } catch {
          // The next time, or the next page.
        }
      }, again_ms);
      signal.addEventListener('abort', () => clearInterval(timer));
    }
  };

  host.offer = async () => {
    // Another page of the same site: what was offered on the one before is over.
    stop.abort();
    stop = new AbortController();
    const { signal } = stop;
    host.heard = undefined;
    try {
      const answer = await host.post('/v1/chat/trigger', asking());
      if (answer.status == 200 && !signal.aborted) {
        const { offers, again_ms } = await answer.json();
        arm(offers, again_ms);
      }
    } catch {
      // Nobody asked for it, so nobody misses it.
    }
  };
};

const host = window.embudo?.host;
if (host && !host.offer) moments(host);
