// The seam between the three files: what the tracker (e.js) lends to forms.js and chat.js. They are built apart
// and loaded late, so these names are the only ones that may not be shortened by the build.

export type Consent = 'none' | 'analytics' | 'full';

/** How a chat is opened. */
export interface Opening {
  /** The flow that the server's trigger named, if it did. */
  flow?: string | null;
  /** True when nobody asked for it: it must not take the focus, nor come back after having been closed. */
  quiet?: boolean;
  /** False: only show that there is something to read. */
  show?: boolean;
}

/** What chat.js hands back once it runs. */
export interface ChatDoor {
  open(how: Opening): void;
  close(): void;
  /** The page told of an event of its own. */
  heard(name: string): void;
  /** Another person uses this browser now: forget the conversation. */
  reset(): void;
}

/** Who asks, as every door wants to know it. */
export interface Sender {
  site: string;
  /** Null while nothing may be remembered. */
  visitor: string | null;
  consent: Consent;
  language: string;
  zone: string;
}

export interface Host {
  /** Where the doors are, without a slash at the end. */
  api: string;
  /** The language of the page, as a tag: `es-MX`. */
  language(): string;
  sender(language: string): Sender;
  consent(): Consent;
  agree(to: Consent): void;
  /** The answer about consent that was given in this page. */
  agreed?: string | null;
  /** The visitor's id in this page. Only `sender` says whether it may be used. */
  known?: string | null;
  /** Forgets who this is, the chat too; the next hit begins a new visitor. */
  reset(): void;
  /** Sends JSON as text/plain, which needs no preflight. */
  post(path: string, body: unknown): Promise<Response>;
  /** The page that is being viewed. */
  page(): { page: { url: string; title: string }; returning: boolean };
  /** Fetches the chat and opens it. */
  launch(how: Opening): void;
  /** Set by moments.js: asks the server for the flows of this page, and waits for their moments. */
  offer?(): void;
  /** Set by moments.js: the page told of an event of its own. */
  heard?(name: string): void;
  chat?: ChatDoor;
  /** Set by forms.js: fills the forms that are not filled yet. */
  fill?(): void;
}

export interface Embudo {
  (...command: unknown[]): unknown;
  /** Commands given before the tracker was there. */
  q?: Iterable<unknown>[];
  host?: Host;
}
