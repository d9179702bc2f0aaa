// chat.js: the chat itself. It is loaded when a flow begins, when the visitor opens it, or when a talk goes on.

import { complain, guarded, h } from '../shared/dom';
import type { ChatDoor, Host, Opening } from '../shared/host';
import { read, write } from '../shared/store';
import { uuid7 } from '../shared/uuid7';
import { markRead, satisfaction } from './after';
import { answers } from './answers';
import { Bubbles, prose } from './bubbles';
import { Composer } from './composer';
import { Door, Refused, start } from './door';
import { icons } from './icons';
import { Line } from './line';
import { Memory, type Unsent } from './memory';
import { Outbox } from './outbox';
import { backoff, pause } from './pause';
import { share } from './tabs';
import { type MenuItem, Shell } from './shell';
import { inShort, spoken, standing } from './said';
import { Talk } from './talk';
import { video } from './video';
import { type Words, wordsFor } from './words';
import type { Ask, Asked, Event, Mode, Person, Said, Started } from './wire';

/** Closed by the visitor: nothing opens by itself for the rest of the visit. */
const QUIET_MS = 30 * 60_000;
/** One bubble after the other, as people read; never longer than this in a row. */
const TYPING_MS = 1200;
const A_BUBBLE_MS = 450;
/** What a flow may ask for. */
const LONGEST_MS = 5000;
const AGENT_TYPES_MS = 6000;
const HIDDEN_MS = 60_000;
const NEW_STARTS = 3;
/** A server that was away is not asked sooner than this, unless she wants it. */
const RETRY_MS = 5000;

const calm = matchMedia('(prefers-reduced-motion: reduce)');

class Chat implements ChatDoor {
  private readonly memory: Memory;
  private readonly shell: Shell;
  language: string;
  words: Words;

  // The conversation that runs, if one does.
  private door: Door | null = null;
  private line: Line | null = null;
  private outbox: Outbox | null = null;
  talk = new Talk();
  private bubbles!: Bubbles;
  private composer!: Composer;
  private bot: Person;

  /** Events that were heard and wait for their turn to be shown. */
  private queue: Event[] = [];
  private isShowing_ = false;
  private paced_ms_ = 0;
  private typingTimer_ = 0;
  private hiddenTimer_ = 0;
  private typedAt_ = 0;
  private readAt_ = 0;
  /** Up to where somebody of the company has read, and the last that the visitor said. */
  private readTo_ = 0;
  private saidLast_ = 0;
  private unread = 0;
  private isConnected_ = true;
  private isStarting_ = false;
  private hasResent_ = false;
  /** The zone of the last times that were offered; before that the visitor's own. */
  zone?: string;
  /** The question whose answers stand there to be clicked. */
  private offered_: Ask | null = null;
  private latest_: { person: Person; isHuman: boolean; text: string } | null = null;
  private starts_ = 0;
  private failures_ = 0;
  private againTimer_ = 0;
  /** Counts conversations: what belongs to an earlier one is not applied. */
  private turn = 0;

  constructor(private host: Host) {
    this.memory = new Memory(host);
    this.language = this.memory.kept.language || host.language();
    this.words = wordsFor(this.language);
    this.bot = this.memory.kept.bot || { name: this.words.assistant };
    this.shell = new Shell(
      {
        opened: () => this.opened(),
        closed: () => this.memory.rest(this.talk.isEnded),
        wanted: () => this.open({}),
        menu: () => this.menu(),
      },
      this.words,
      this.language,
    );
    this.clear();
    const back = guarded(() => {
      if (document.visibilityState === 'hidden') return;
      this.line?.open();
      this.outbox?.nudge();
      this.seen();
    });
    // An open stream keeps a page out of the browser's back cache.
    addEventListener('pagehide', () => this.line?.close());
    addEventListener('pageshow', back);
    addEventListener('online', () => {
      this.line?.close();
      back();
    });
    addEventListener('offline', () => this.connected(false));
    document.addEventListener('visibilitychange', () => {
      back();
      // A page in the background needs no line of its own, unless a person is about to answer.
      clearTimeout(this.hiddenTimer_);
      if (document.visibilityState === 'visible' || this.talk.mode === 'human' || this.talk.mode === 'waiting') return;
      this.hiddenTimer_ = setTimeout(() => this.line?.close(), HIDDEN_MS);
    });
    addEventListener(
      'storage',
      guarded((event: StorageEvent) => {
        if (event.key === 'embudo.visitor' && !event.newValue) this.leave_();
        if (event.key === 'embudo.chat' && event.newValue) this.follow();
      }),
    );
  }

  open({ flow = null, quiet = false, show = true }: Opening): void {
    const { kept } = this.memory;
    const wasClosed = !!kept.closed_at && Date.now() - kept.closed_at < QUIET_MS;
    if (quiet && flow && (this.shell.isOpen || wasClosed)) return;
    // On a phone the panel would hide the page that the visitor just came for: a card says it instead.
    if (!quiet || (show && !this.shell.isPhone_)) this.shell.open(quiet);
    if (flow ? !this.door || this.talk.isEnded : !this.door) {
      if (!flow && kept.conversation && kept.token) this.attach_(kept.conversation, kept.token);
      else void this.begin(flow);
    }
  }

  close(): void {
    this.shell.close(true);
  }

  heard(name: string): void {
    // While a question is open, no flow waits for the page.
    if (this.talk.mode === 'bot' && !this.talk.ask) this.door?.tell(name).catch(complain);
  }

  reset(): void {
    this.detach_();
    this.memory.clear();
    this.clear();
    this.shell.unread(0);
    this.shell.close(false);
  }

  /** "Not you?" in another tab means it in this one, too. */
  private leave_(): void {
    this.host.known = null;
    if (this.door) this.reset();
  }

  /** What was done in another tab holds in this one: another talk, what was read, that it was put away. */
  private follow(): void {
    const { memory, shell } = this;
    const { seen = 0, closed_at = 0 } = memory.reread_();
    const { kept } = memory;
    if (this.door && kept.token && kept.conversation !== this.door.conversation) return this.attach_(kept.conversation!, kept.token);
    if (kept.seen! > seen && kept.seen! >= (this.line?.last || 0)) shell.unread((this.unread = 0));
    if (kept.seen! > seen || kept.closed_at! > closed_at) shell.hush();
  }

  private opened(): void {
    this.memory.keep({ open: true, closed_at: undefined });
    this.seen();
  }

  private menu(): MenuItem[] {
    const { words } = this;
    const items: MenuItem[] = [];
    if (this.door && this.talk.mode === 'bot' && !this.talk.isEnded) {
      items.push({ label: words.human, path: icons.person, act: () => this.say({ type: 'human_requested' }, words.human) });
    }
    // Only whose address it certainly is may have it sent there.
    if (this.door && this.memory.kept.known && this.saidLast_) {
      items.push({ label: words.transcript, path: icons.file, act: () => this.transcript() });
    }
    if (!this.shell.isPhone_) {
      items.push({
        label: this.shell.isLarge_ ? words.smaller : words.larger,
        path: this.shell.isLarge_ ? icons.shrink : icons.grow,
        act: () => this.shell.grow(),
      });
    }
    items.push({ label: words.forget, path: icons.leave, act: () => this.forget() });
    return items;
  }

  /** "Not you?": nothing of the person before is left in this browser, and the talk begins anew. */
  private forget(): void {
    this.host.reset();
    this.anew_();
  }

  private anew_(): void {
    this.shell.open(false);
    void this.begin(null);
  }

  // --- a conversation begins and ends -----------------------------------------------------------

  private async begin(flow: string | null): Promise<void> {
    if (this.isStarting_) return;
    this.isStarting_ = true;
    const turn = this.turn;
    const slow = setTimeout(() => this.shell.tell(this.words.connecting), 300);
    try {
      await pause(0); // first the panel
      const started = await start(this.host, flow, this.language);
      if (turn === this.turn) this.started(started);
    } catch (problem) {
      complain(problem);
      if (turn === this.turn) this.failed(problem, flow);
    } finally {
      clearTimeout(slow);
      this.isStarting_ = false;
      this.shell.tell('');
    }
  }

  private started(started: Started): void {
    this.isConnected_ = true;
    this.failures_ = 0;
    const { conversation, token, visitor, mode, agent = null, bot = null, known } = started;
    const { memory, shell } = this;
    const isOther = conversation !== memory.kept.conversation;
    this.recognise_(visitor);
    this.language = started.language || this.language;
    this.words = wordsFor(this.language);
    this.bot = bot || this.bot;
    const kept = { conversation, token, bot: this.bot, language: this.language, known };
    if (isOther) {
      memory.begin(kept);
    } else memory.keep(kept);
    // What was said elsewhere and never arrived goes to this conversation; answers to old questions do not.
    for (const item of memory.unsent.filter((item) => item.conversation !== conversation)) {
      memory.dropUnsent_(item.client_id);
      if (!('question' in item.body)) memory.addUnsent_({ ...item, conversation });
    }
    shell.speak(this.words, this.language);
    this.attach_(conversation, token);
    this.talk.mode = mode;
    this.talk.agent = agent;
    this.header();
  }

  /** From now on this browser is who the server says, as far as it may remember that. */
  private recognise_(visitor: string): void {
    this.host.known = visitor;
    if (this.host.consent() !== 'none') write('visitor', visitor);
  }

  private attach_(conversation: string, token: string): void {
    this.detach_();
    // What she is just typing is still hers to send.
    const { draft } = this.composer;
    this.clear();
    this.composer.restore(draft);
    const turn = this.turn;
    const here = <A extends unknown[]>(act: (...given: A) => void) =>
      guarded((...given: A) => {
        if (turn === this.turn) act(...given);
      });
    const door = (this.door = new Door(this.host, conversation, token));
    const gone = here(() => this.gone_());
    this.line = new Line(door, {
      heard: here((events, isOld) => this.took_(events, isOld)),
      typing: here((who, name) => this.types(who, name)),
      read: here((seq) => {
        this.readTo_ = seq;
        this.tellRead_();
      }),
      asked: here((asked) => this.asked(asked)),
      connected: here((isConnected) => this.connected(isConnected)),
      gone,
      restored: here(() => {
        // What was shown is not what the server has: it is all read again.
        this.memory.keep({ seen: undefined });
        this.attach_(conversation, token);
      }),
    }, share);
    this.outbox = new Outbox(door, this.memory, {
      sent: here((_, { event, visitor }) => {
        this.connected(true);
        if (visitor) this.recognise_(visitor);
        if (event && this.line && !this.line.take(event)) void this.line.catchUp().catch(complain);
      }),
      delayed: here(({ client_id }) => this.bubbles.delay(client_id)),
      refused: here((item, why) => this.refused_(item, why)),
      gone,
    });
    this.line.open();
  }

  /** A link from a mail was opened here: only her own yes makes this browser hers. */
  private asked({ who, mark }: Asked): void {
    const { words, shell } = this;
    if (read('not') === mark) return;
    const { turn } = this;
    const button = (answer: 'yes' | 'no') =>
      h(
        'button',
        {
          type: 'button',
          class: 'link',
          onclick: async () => {
            shell.ask_();
            shell.hold();
            const { visitor, goes_on } = await this.door!.whose(answer);
            if (answer === 'no') write('not', mark);
            if (turn !== this.turn) return;
            if (!goes_on) this.host.reset();
            this.recognise_(visitor);
            if (!goes_on) this.anew_();
            shell.ask_(words.noted);
          },
        },
        words[answer],
      );
    shell.ask_(words.areYou(who), button('yes'), button('no'));
  }

  private detach_(): void {
    this.turn++;
    this.line?.close();
    this.outbox?.close();
    this.door = this.line = this.outbox = null;
  }

  /** The server does not know this conversation any more: begin anew, but not for ever. */
  private gone_(): void {
    this.detach_();
    this.memory.keep({ token: undefined });
    if (this.starts_++ < NEW_STARTS && (this.shell.isOpen || this.memory.unsent.length)) void this.begin(null);
    else this.clear();
  }

  private failed(problem: unknown, flow: string | null): void {
    this.isConnected_ = false;
    this.header();
    const { words, shell } = this;
    const isFinal = problem instanceof Refused && problem.isFinal;
    const why = (problem instanceof Refused && problem.status < 500 && problem.detail) || words.failed;
    const again = () => {
      if (this.isStarting_ || this.door) return;
      if (shell.clearTray_()) shell.hold();
      return this.begin(flow);
    };
    const button = h('button', { type: 'button', class: 'button', onclick: again }, words.retry);
    shell.tray.replaceChildren(h('div', { class: 'card failed' }, h('p', null, why), !isFinal && h('p', { class: 'kept' }, this.away_()), button));
    shell.follow(true);
    // It also tries by itself, ever more seldom; what was refused for good is only asked again by her.
    clearTimeout(this.againTimer_);
    if (!isFinal) this.againTimer_ = setTimeout(guarded(again), RETRY_MS + ((problem instanceof Refused && problem.wait_ms) || backoff(this.failures_++)));
  }

  private clear(): void {
    this.talk = new Talk();
    this.hasResent_ = false;
    this.latest_ = null;
    this.readTo_ = this.saidLast_ = 0;
    this.queue = [];
    this.unread = 0;
    this.paced_ms_ = 0;
    this.bubbles = new Bubbles(this.shell.log, this.host, this.words, this.language);
    this.bubbles.clear();
    this.composer = new Composer(
      this.words,
      (text) => this.write(text),
      () => this.typing(),
    );
    const heldFocus = this.shell.holdsFocus_;
    this.shell.foot.replaceChildren(this.composer.element);
    this.shell.tray.replaceChildren();
    this.shell.wait(false);
    this.shell.tell('');
    this.shell.ask_();
    if (heldFocus) this.shell.focus();
    this.header();
    const notYou = h('button', { type: 'button', class: 'link', onclick: () => this.forget() }, this.words.notYou);
    if (this.isKnown_) this.shell.introduce_(notYou);
    else this.shell.introduce_();
  }

  /** Only who is recognised can be taken for somebody else. A visitor id tells when it was made (UUIDv7). */
  private get isKnown_(): boolean {
    const { visitor } = this.host.sender(this.language);
    if (!visitor) return false;
    return this.memory.kept.known ?? Date.now() - parseInt(visitor.replace('-', '').slice(0, 12), 16) > QUIET_MS;
  }

  // --- what comes in ---------------------------------------------------------------------------

  private took_(events: Event[], isOld: boolean): void {
    this.queue.push(...events);
    if (isOld) {
      while (this.queue.length) this.show(this.queue.shift()!);
      if (this.hasResent_) this.settle_(true);
    } else void this.play();
  }

  /** After a reload: what was said and not confirmed is shown again and goes on its way. */
  private resend_(): void {
    if (this.hasResent_) return;
    this.hasResent_ = true;
    const { conversation } = this.memory.kept;
    for (const item of this.memory.unsent) {
      if (item.conversation === conversation) this.bubbles.ours(item.shown, item.at, item.client_id);
    }
    this.outbox?.nudge();
    this.settle_(true);
  }

  private async play(): Promise<void> {
    if (this.isShowing_) return;
    this.isShowing_ = true;
    const turn = this.turn;
    try {
      while (this.queue.length && turn === this.turn) {
        const { author, body } = this.queue[0]!;
        const isBubble = author.kind === 'bot' && !/^(status|end|invalid)$/.test(body.type);
        const wanted = 'typing_ms' in body ? body.typing_ms : null;
        if (isBubble && this.shell.isSeen && !calm.matches) {
          // As long as the flow says; else one bubble after the other, and all of them soon.
          const wait = Math.min(wanted ?? Math.min(A_BUBBLE_MS, TYPING_MS - this.paced_ms_), LONGEST_MS);
          if (wait > 0) {
            if (wanted == null) this.paced_ms_ += wait;
            this.shell.wait(true);
            await pause(wait);
          }
        }
        // The visitor may have gone on meanwhile: then everything is there already.
        if (turn === this.turn && this.queue.length) this.show(this.queue.shift()!);
      }
    } finally {
      this.isShowing_ = false;
      if (turn === this.turn) this.settle_(false);
    }
  }

  private hurry_(): void {
    while (this.queue.length) this.show(this.queue.shift()!);
    this.paced_ms_ = 0;
  }

  private show(event: Event): void {
    const { talk, bubbles, words } = this;
    const { body, author } = event;
    const before = { mode: talk.mode, agent: talk.agent };
    const person: Person = author.kind === 'agent' ? { name: author.name || '', initials: talk.agent?.initials } : this.bot;
    talk.take(event);
    if (author.kind !== 'visitor') this.shell.wait(false);
    if (author.kind === 'visitor') {
      this.saidLast_ = event.seq;
      if (!bubbles.confirm(event.client_id)) {
        const text = spoken(body, this);
        if (text) bubbles.ours(text, event.at);
      }
      this.outbox?.confirm(event.client_id || '');
    } else if (body.type === 'text') bubbles.theirs(event, person, prose(body.text, words));
    else if (body.type === 'ask') {
      bubbles.ask(event, person, body);
      if (body.input.kind === 'slot') this.zone = body.input.zone;
    } else if (body.type === 'booked') bubbles.booked(event, person, body);
    else if (body.type === 'image') bubbles.image(event, person, body);
    else if (body.type === 'file') bubbles.file(event, person, body);
    else if (body.type === 'card') bubbles.card(event, person, body);
    else if (body.type === 'video') {
      const { door } = this;
      const card = video(
        this.host,
        body,
        words,
        (recording, ranges, duration_s) => door!.watch(recording, ranges, duration_s),
        () => this.shell.grow(),
        () => this.shell.isLarge_,
      );
      bubbles.theirs(event, person, card, true);
    } else if (body.type === 'status') this.status(body.mode, before.mode, talk.agent || before.agent, body.text);
    this.count(event, person);
  }

  private status(mode: Mode, before: Mode, agent: Person | null, text: string | null | undefined): void {
    const told = text || standing(mode, before, agent, this.words);
    if (told) this.bubbles.status(told);
    this.header();
  }

  /** After the last event that is there: what can be answered now. */
  private settle_(isOld: boolean): void {
    const { talk, shell, words } = this;
    // An answer that is on its way is an answer.
    const isAnswered = ({ body }: Unsent) => 'question' in body && body.question === talk.ask?.question;
    const ask = this.memory.unsent.some(isAnswered) ? null : talk.ask;
    this.paced_ms_ = 0;
    this.header();
    const heldFocus = shell.holdsFocus_;
    // What she has begun to pick or to fill in stays as it is when something else is said.
    const isSame = talk.howWasIt_
      ? shell.tray.querySelector('.rate-question')
      : ask && ask === this.offered_ && shell.tray.firstChild;
    const tray = isSame
      ? (shell.tray.firstElementChild as HTMLElement)
      : talk.howWasIt_
        ? satisfaction(talk.howWasIt_, words, (score, comment) => this.rate(score, comment))
        : ask && answers(ask, words, this.language, (said, shown) => this.say(said, shown));
    if (!isSame) shell.tray.replaceChildren(...(tray ? [tray] : []));
    this.offered_ = talk.howWasIt_ ? null : ask;
    this.tellRead_();
    if (talk.isEnded) {
      const again = h('button', { type: 'button', class: 'button', onclick: () => this.again() }, words.again);
      if (!shell.foot.querySelector('.ended')) {
        shell.foot.replaceChildren(h('div', { class: 'ended' }, h('p', null, words.ended), again));
      }
    } else {
      if (!shell.foot.contains(this.composer.element)) shell.foot.replaceChildren(this.composer.element);
      this.composer.fit(ask);
      this.composer.explain(talk.problem);
      if (talk.problem) {
        this.composer.restore(this.lastAnswer_);
        this.lastAnswer_ = '';
      }
    }
    if (heldFocus && (!isOld || (shell.isAwaited_ && tray)) && !isSame) {
      shell.isAwaited_ = false;
      // A keyboard is led to the answers; a question for words, asked of somebody who is here, finds the line ready.
      if (tray ? shell.byKeyboard_ : ask) shell.focus();
      else if (!shell.holdsFocus_) shell.hold();
    }
    shell.follow(isOld);
    if (this.latest_ && !shell.isOpen) shell.tease(this.latest_.person, this.latest_.isHuman, this.latest_.text);
    this.latest_ = null;
    this.seen();
  }

  /** True: the server has it, and the log says it. */
  private async rate(score: number, comment: string): Promise<boolean> {
    try {
      const { event } = await this.door!.rate(score, comment);
      if (!event || !this.line?.take(event)) await this.line?.catchUp();
      return true;
    } catch (problem) {
      complain(problem);
      return false;
    }
  }

  private tellRead_(): void {
    const { talk, readTo_, saidLast_, words } = this;
    markRead(this.shell.log, talk.mode === 'human' && saidLast_ && readTo_ >= saidLast_ ? words.read : '');
  }

  private transcript(): void {
    const told = (text: string) => this.bubbles.status(text);
    this.door!.transcript().then(
      () => told(this.words.transcriptSent),
      (problem) => told(problem instanceof Refused && problem.detail ? problem.detail : this.words.refused),
    );
  }

  private again(): void {
    this.detach_();
    this.memory.begin({});
    this.clear();
    this.anew_();
  }

  private count({ seq, at, author, body }: Event, person: Person): void {
    if (author.kind === 'visitor' || this.shell.isSeen || seq <= (this.memory.kept.seen || 0)) return;
    const text = inShort(body, this.words);
    if (!text) return;
    this.shell.unread(++this.unread);
    // What stood there when the visitor closed the panel is not held up to her again.
    if (at > (this.memory.kept.closed_at || 0)) this.latest_ = { person, isHuman: author.kind === 'agent', text };
  }

  /** The visitor looks: nothing is unread any more. */
  private seen(): void {
    if (!this.shell.isSeen || !this.line) return;
    this.unread = 0;
    this.shell.unread(0);
    const { last } = this.line;
    if (last <= (this.memory.kept.seen || 0)) return;
    this.memory.keep({ seen: last });
    // Only a person wants to know; and not every single line.
    if (this.talk.mode === 'human' && Date.now() - this.readAt_ > 1000) {
      this.readAt_ = Date.now();
      this.door?.read(last).catch(complain);
    }
  }

  private types(who: string, name: string): void {
    const isAgent = who === 'agent';
    if (!isAgent && calm.matches) return;
    this.shell.wait(true);
    if (isAgent && name) this.header(this.words.typing(name));
    clearTimeout(this.typingTimer_);
    this.typingTimer_ = setTimeout(
      () => {
        this.shell.wait(false);
        this.header();
      },
      isAgent ? AGENT_TYPES_MS : TYPING_MS,
    );
  }

  private connected(isConnected: boolean): void {
    if (!this.door) return;
    this.isConnected_ = isConnected && navigator.onLine;
    this.shell.tell(this.isConnected_ ? '' : this.away_());
    this.header();
    if (!this.isConnected_) return;
    this.starts_ = 0;
    // What can be answered is built and laid out in another task than what was said.
    const { turn } = this;
    setTimeout(guarded(() => turn === this.turn && this.resend_()));
  }

  /** What is amiss, and what becomes of what is written meanwhile: without consent nothing outlives the page. */
  private away_(): string {
    const { words } = this;
    return `${navigator.onLine ? words.noServer : words.noNetwork} ${this.host.consent() === 'none' ? words.keptHere : words.kept}`;
  }

  private header(typing = ''): void {
    const { talk, words, shell } = this;
    const isHuman = talk.mode === 'human' && !!talk.agent;
    const state =
      typing ||
      (!this.isConnected_
        ? words.offlineState
        : talk.isEnded
        ? words.closedState
        : talk.mode === 'waiting'
          ? words.waitingState
          : isHuman
            ? words.humanState
            : words.botState);
    const tone = talk.isEnded || !this.isConnected_ ? 'gone' : talk.mode === 'waiting' ? 'warn' : 'good';
    shell.head(isHuman ? talk.agent! : this.bot, isHuman, state, tone);
  }

  // --- what goes out ---------------------------------------------------------------------------

  private lastAnswer_ = '';

  private write(text: string): void {
    const { ask } = this.talk;
    const kind = ask?.input.kind;
    if (ask && kind !== 'choice' && kind !== 'slot') {
      this.lastAnswer_ = text;
      // The digits prove an address: nobody needs to read them once more.
      this.say({ type: 'answer', question: ask.question, value: text }, kind === 'code' ? text.replace(/./g, '•') : text);
    } else this.say({ type: 'text', text }, text);
  }

  private say(said: Said, shown: string): void {
    this.hurry_();
    this.typedAt_ = 0; // what is typed next is told at once
    const { memory, outbox, bubbles, shell } = this;
    if (!outbox) {
      // Not connected yet: it waits for a conversation.
      const item = { client_id: uuid7(), conversation: '', body: said, shown, at: Date.now() };
      memory.addUnsent_(item);
      bubbles.ours(shown, item.at, item.client_id);
      bubbles.delay(item.client_id);
      shell.follow(true);
      if (!this.isStarting_) void this.begin(null);
      return;
    }
    const item = outbox.add(said, shown);
    bubbles.ours(shown, item.at, item.client_id);
    // The button that was pressed is gone; the focus must not fall out of the panel with it.
    if ('question' in said && shell.clearTray_()) shell.hold();
    shell.follow(true);
    if (this.talk.mode === 'bot' && !calm.matches) this.types('bot', '');
  }

  private refused_({ client_id, body }: Unsent, why: Refused): void {
    const { words } = this;
    const text = why.code === 'chat.question_over' ? words.over : why.detail || words.refused;
    this.bubbles.refuse(client_id, text);
    this.shell.wait(false);
    if (body.type === 'text') this.composer.restore(body.text);
    this.settle_(false);
    void this.line?.catchUp().catch(complain);
  }

  private typing(): void {
    if (this.talk.mode !== 'human' || Date.now() - this.typedAt_ < 3000) return;
    this.typedAt_ = Date.now();
    this.door?.typing().catch(() => {});
  }
}

const host = window.embudo?.host;
if (host && !host.chat) {
  // Read, built and opened in a task each: a phone may be held up by none of them.
  const built = pause(0).then(() => (host.chat = new Chat(host)));
  host.chat = { open: (how) => built.then(() => pause(0)).then(() => host.chat!.open(how)).catch(complain), close() {}, heard() {}, reset() {} };
}
