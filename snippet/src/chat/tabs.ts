// One stream for all tabs of a browser that show the same talk: a browser opens only six connections to a server that
// does not speak HTTP/2. The tab that holds the lock listens and tells the others what it hears.
//
// Nothing is lost by this: every tab takes only the next number of the log, and asks the server itself for what it lacks.

import type { Event } from './wire';

/** What the tab that listens tells the others. */
export interface News {
  events?: Event[];
  /** How far the log goes. */
  head?: number;
  /** Up to where the other side has read. */
  read?: number;
  typing?: [who: string, name: string];
  connected?: boolean;
}

export interface Tab {
  /** Listens to the server until the signal says stop. */
  lead(signal: AbortSignal): Promise<void>;
  /** Another tab listens; its news come from now on. */
  follow(signal: AbortSignal): void;
  told(news: News): void;
}

export interface Place {
  /** To the other tabs, from the one that listens. */
  tell(news: News): void;
  /** Whoever listens has been silent for too long: it is frozen, or its promise is broken. */
  takeOver_(): void;
}

/** Finds a tab its place until the signal says stop. */
export type Share = (name: string, signal: AbortSignal, tab: Tab) => Place;

/** For a browser that cannot share, or does not have to: every tab listens for itself. */
export const alone: Share = (_, signal, tab) => {
  void tab.lead(signal);
  return { tell() {}, takeOver_() {} };
};

export const share: Share = (name, signal, tab) => {
  const { locks } = navigator;
  if (!locks || !window.BroadcastChannel) return alone(name, signal, tab);
  const channel = new BroadcastChannel(name);
  channel.onmessage = ({ data }) => tab.told(data);
  // An open channel and a lock keep a page out of the browser's back cache, just as a stream does.
  signal.addEventListener('abort', () => channel.close());

  /** Leads while it has the lock. False: it did not get it, or it was taken away. */
  const hold = async (options: LockOptions): Promise<boolean> => {
    const mine = new AbortController();
    const end = () => mine.abort();
    signal.addEventListener('abort', end);
    try {
      return await locks.request(name, options, async (lock) => {
        if (!lock || signal.aborted) return false;
        await tab.lead(mine.signal);
        return true;
      });
    } catch {
      return false;
    } finally {
      end();
      signal.removeEventListener('abort', end);
    }
  };

  void (async () => {
    let led = await hold({ ifAvailable: true });
    while (!signal.aborted && !led) {
      const waiting = new AbortController();
      const end = () => waiting.abort();
      signal.addEventListener('abort', end);
      tab.follow(waiting.signal);
      led = await hold({ signal });
      end();
      signal.removeEventListener('abort', end);
    }
  })();

  return {
    tell(news) {
      if (!signal.aborted) channel.postMessage(news);
    },
    takeOver_: () => void hold({ steal: true }),
  };
};
