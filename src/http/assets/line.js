// The line of an open page to the server: a WebSocket, or the event stream where sockets are held back by something on
// the way. Both tell the same things under the same names; what is lost with a line is asked for by the next one.
//
// embudoLine({ conversation, traffic, live, after, csrf, on }): `on.found()`, `on.lost()`, and `on[name](data)` for what is told.
"use strict";

window.embudoLine = ({ conversation = "", traffic = "", live = false, after = 0, csrf = "", on }) => {
  /** The server beats every 15 s. Two missed and some: nobody is there. */
  const SILENCE_MS = 35_000;
  /** So long an answer is waited for. */
  const ANSWER_MS = 10_000;
  /** Sockets that never opened, in a row, before the event stream is taken instead. */
  const TRIES = 2;

  /** What of the sites the page shows. */
  const shown = { ...(traffic && { traffic }), ...(live && { live: 1 }) };

  let last = after;
  let socket = null;
  let stream = null;
  let isOpen = false;
  let isClosed = false;
  let failures = 0;
  let tries = 0;
  let silence = 0;
  let pause = 0;
  /** What was said and not answered yet, by its id. */
  const said = new Map();

  const tell = (name, data) => on[name]?.(data);

  /** The numbers of a log have no gap: the next one is taken, a lower one is known, after a gap we ask again. */
  function take(event) {
    if (event.seq > last + 1) return connect();
    if (event.seq <= last) return;
    last = event.seq;
    tell("event", event);
  }

  const dispatch = {
    hello: () => {
      isOpen = true;
      tries = 0;
      failures = 0;
      tell("found");
    },
    event: take,
    head: (data) => {
      if (data.head > last) return connect();
      // The store was put back to an older state: the page is another one now.
      if (data.head < last) return location.reload();
      tell("head", data);
    },
    done: ({ id, event }) => {
      said.get(id)?.done(true);
      said.delete(id);
      if (event.seq === last + 1) take(event);
    },
    refused: ({ id }) => {
      // The page's token is of another session.
      if (id === "hello") return location.reload();
      said.get(id)?.done(false);
      said.delete(id);
    },
  };

  function connect() {
    if (isClosed) return;
    hangUp();
    const query = conversation ? { conversation, after: last } : { ...shown };
    const mine = (socket = new WebSocket(`${location.origin.replace(/^http/, "ws")}/console/line?${new URLSearchParams(query)}`));
    let wasOpen = false;
    listen();
    mine.onopen = () => {
      wasOpen = true;
      mine.send(JSON.stringify({ type: "hello", csrf }));
    };
    mine.onmessage = ({ data }) => {
      if (mine !== socket) return;
      listen();
      const frame = JSON.parse(data);
      (dispatch[frame.type] || ((what) => tell(frame.type, what)))(frame.data);
    };
    mine.onclose = ({ code }) => {
      if (mine !== socket) return;
      if (code === 4401) return location.reload();
      hangUp();
      tell("lost");
      if (!wasOpen && ++failures >= TRIES && "EventSource" in window) return follow();
      // Doubling up to half a minute, spread so that pages do not come back in step after a restart.
      pause = setTimeout(connect, Math.min(30_000, 500 * 2 ** tries++) * (0.6 + Math.random() * 0.8));
    };
  }

  function listen() {
    clearTimeout(silence);
    silence = setTimeout(() => {
      tell("lost");
      connect();
    }, SILENCE_MS);
  }

  function hangUp() {
    clearTimeout(silence);
    clearTimeout(pause);
    const old = socket;
    socket = null;
    isOpen = false;
    old?.close();
    // Nobody answers these any more; whoever waits says it again, under the same id, another way.
    for (const { lost } of said.values()) lost(new Error("the line broke"));
    said.clear();
  }

  /** The event stream: it connects again by itself. */
  function follow() {
    const query = conversation ? { conversation } : { ...shown };
    stream = new EventSource(`/console/events?${new URLSearchParams(query)}`);
    stream.addEventListener("open", () => tell("found"));
    stream.addEventListener("error", () => {
      tell("lost");
      // An answer that is no stream ends it for good.
      if (stream.readyState !== EventSource.CLOSED) return;
      stream = null;
      failures = 0;
      pause = setTimeout(connect, 5000);
    });
    for (const name of Object.keys(on).filter((name) => name !== "found" && name !== "lost")) {
      stream.addEventListener(name, (event) => tell(name, JSON.parse(event.data)));
    }
  }

  function close() {
    isClosed = true;
    hangUp();
    stream?.close();
  }

  const send = (message) => {
    if (isOpen) socket.send(JSON.stringify(message));
    return isOpen;
  };

  connect();
  // An open line keeps a page out of the browser's back cache.
  addEventListener("pagehide", close);
  addEventListener("online", () => socket || stream || connect());
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "visible" && !socket && !stream) connect();
  });

  return {
    /** Says something under an id that stays. True: it stands in the log; false: it was refused; null: not by this line. */
    say(id, text) {
      if (!isOpen || !conversation) return null;
      return new Promise((done, lost) => {
        said.set(id, { done, lost });
        setTimeout(lost, ANSWER_MS, new Error("no answer"));
        send({ type: "say", id, text });
      });
    },
    typing: () => send({ type: "typing" }),
    read: (seq) => send({ type: "read", seq }),
    close,
  };
};
