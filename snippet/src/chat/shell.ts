// The frame: launcher, teaser, panel with header and menu. It knows nothing of conversations.

import { completeAccent, follow, widgetTheme } from '../shared/colour';
import { guarded, h, icon, sheet } from '../shared/dom';
import { place } from '../shared/place';
import tokens from '../shared/tokens.css';
import { face, prose } from './bubbles';
import { icons } from './icons';
import style from './style.css';
import after from './after.css';
import type { Words } from './words';
import type { Person } from './wire';

/** Below this width the panel is the whole screen. */
const PHONE = matchMedia('(max-width: 479px)');
const isTouch = matchMedia('(pointer: coarse)');

/** Read when the script is, not when the panel is built: a task of its own. */
const sheets = [tokens, style, after].map(sheet);

export interface MenuItem {
  label: string;
  path: string;
  act(): void;
}

export interface Steward {
  opened(): void;
  closed(): void;
  /** The launcher or the teaser was used. */
  wanted(): void;
  menu(): MenuItem[];
}

export class Shell {
  readonly log = h('div', { class: 'log', role: 'log', 'aria-live': 'polite' });
  readonly tray = h('div', { class: 'tray' });
  readonly foot = h('div', { class: 'foot' });
  /** Whether the last thing done was done by keyboard: only then may the focus be led. */
  byKeyboard_ = false;
  /** Just opened by keyboard: the first answers that come may have the focus, until another key is pressed. */
  isAwaited_ = false;

  private readonly intro = h('div', { class: 'intro' });
  private readonly dots = h('div', { class: 'dots', hidden: true, 'aria-hidden': 'true' }, h('i'), h('i'), h('i'));
  private readonly notice = h('p', { class: 'notice', role: 'status' });
  private readonly whose_ = h('div', { class: 'whose', role: 'status' });
  private readonly scroll = h('div', { class: 'scroll', tabindex: 0, role: 'group' }, this.intro, this.log, this.dots, this.tray);
  private readonly who = h('div', { class: 'head-who' });
  private readonly menuButton_: HTMLButtonElement;
  private readonly menuList_ = h('div', { class: 'menu', hidden: true });
  private readonly closeButton_: HTMLButtonElement;
  private readonly panel: HTMLElement;
  private readonly launcher: HTMLButtonElement;
  private readonly badge = h('span', { class: 'badge', 'aria-hidden': 'true', hidden: true });
  private readonly news = h('p', { class: 'sr', role: 'status' });
  private readonly teaser = h('div', { class: 'teaser', hidden: true });
  private readonly root: ShadowRoot;
  private readonly place: HTMLElement;
  private words!: Words;
  /** What the page's own overflow was, while the panel covers it. */
  private locked: string | null = null;
  private isAtEnd = true;

  constructor(
    private steward: Steward,
    words: Words,
    language: string,
  ) {
    this.root = place().root;
    this.place = this.root.host as HTMLElement;
    // Asked while nothing is new in it: then it is known.
    completeAccent(this.place, this.root);
    this.root.adoptedStyleSheets = sheets;
    follow(this.place, widgetTheme());

    this.launcher = this.root.querySelector('button')!;
    this.launcher.removeAttribute('title');
    this.launcher.classList.add('launcher');
    this.launcher.setAttribute('aria-expanded', 'false');
    this.launcher.setAttribute('aria-controls', 'panel');
    this.launcher.onclick = () => steward.wanted();
    this.launcher.append(this.badge);

    this.menuButton_ = h(
      'button',
      { type: 'button', class: 'tool', 'aria-expanded': 'false', 'aria-controls': 'menu', onclick: () => this.menu(!!this.menuList_.hidden) },
      icon(icons.more, 'more'),
    );
    this.menuList_.id = 'menu';
    this.closeButton_ = h('button', { type: 'button', class: 'tool', onclick: () => this.close(true) }, icon(icons.down));
    this.panel = h(
      'section',
      { id: 'panel', class: 'panel', hidden: true, tabindex: -1, role: 'region' },
      h('div', { class: 'head' }, this.who, this.menuButton_, this.closeButton_, this.menuList_),
      this.notice,
      this.whose_,
      this.scroll,
      this.foot,
    );
    this.panel.addEventListener('keydown', (event) => this.keys(event));
    this.panel.addEventListener('click', (event) => {
      if (!this.menuList_.hidden && !event.composedPath().includes(this.menuButton_)) this.menu(false);
    });
    this.root.addEventListener(
      'keydown',
      () => {
        this.byKeyboard_ = true;
        this.isAwaited_ = false;
      },
      true,
    );
    this.root.addEventListener('pointerdown', () => (this.byKeyboard_ = false), true);
    this.scroll.addEventListener('scroll', () => {
      const { scrollTop, scrollHeight, clientHeight } = this.scroll;
      this.isAtEnd = scrollHeight - scrollTop - clientHeight < 60;
    });
    PHONE.addEventListener('change', () => this.fit());
    visualViewport?.addEventListener('resize', () => this.fit());
    visualViewport?.addEventListener('scroll', () => this.fit());
    // Pictures and players come late; who reads the end stays there.
    const late = new ResizeObserver(() => this.isAtEnd && this.toEnd());
    late.observe(this.log);
    late.observe(this.tray);

    this.root.append(this.teaser, this.panel, this.news);
    this.speak(words, language);
  }

  speak(words: Words, language: string): void {
    this.words = words;
    this.panel.lang = this.teaser.lang = language;
    this.place.setAttribute('aria-label', words.chat);
    this.launcher.setAttribute('aria-label', words.open);
    this.panel.setAttribute('aria-label', words.chat);
    this.log.setAttribute('aria-label', words.messages);
    this.scroll.setAttribute('aria-label', words.conversation);
    for (const [button, label] of [
      [this.menuButton_, words.menu],
      [this.closeButton_, words.close],
    ] as const) {
      button.setAttribute('aria-label', label);
      button.title = label;
    }
  }

  get isOpen(): boolean {
    return !this.panel.hidden;
  }

  get isSeen(): boolean {
    return this.isOpen && document.visibilityState === 'visible';
  }

  get isPhone_(): boolean {
    return PHONE.matches;
  }

  open(quiet: boolean): void {
    // The key that opened it may have been pressed before this script was there.
    if (this.launcher.matches(':focus-visible')) this.byKeyboard_ = true;
    this.hush();
    if (!this.isOpen) {
      this.isAtEnd = true;
      this.fit(true);
      this.steward.opened();
    }
    if (quiet) return;
    this.isAwaited_ = this.byKeyboard_;
    // Laid out it is already; what the focus changes comes in a task of its own.
    setTimeout(guarded(() => this.isOpen && this.focus()));
  }

  close(byVisitor: boolean): void {
    if (!this.isOpen) return;
    const hadFocus = !!this.root.activeElement;
    this.menu(false);
    this.fit(false);
    if (hadFocus) this.launcher.focus({ preventScroll: true });
    if (byVisitor) this.steward.closed();
  }

  /** Keeps the focus in the panel when what held it went away; a keyboard is led on. */
  hold(): void {
    if (this.byKeyboard_) this.focus();
    else this.panel.focus({ preventScroll: true });
  }

  /** Leads the focus to what can be done next: the answers for a keyboard, else the line to write in. */
  focus(): void {
    const first = this.tray.querySelector<HTMLElement>('button, input:checked, input');
    const line = this.foot.querySelector<HTMLElement>('.field, .button');
    // On a touch screen a focused field brings up the keyboard and hides what is to be read.
    const next = first ? this.byKeyboard_ && first : !isTouch.matches && line;
    (next || this.panel).focus({ preventScroll: true });
  }

  /** Whether the focus stands in the panel. */
  get holdsFocus_(): boolean {
    return this.panel.contains(this.root.activeElement);
  }

  /** Takes away what was offered. True: the focus stood in it and needs a new place. */
  clearTray_(): boolean {
    const hadFocus = this.tray.contains(this.root.activeElement);
    this.tray.replaceChildren();
    return hadFocus;
  }

  /** Who is speaking. `tone`: good is here, warn is on the way, none is gone. */
  head(person: Person, isHuman: boolean, state: string, tone: 'good' | 'warn' | 'gone'): void {
    this.who.replaceChildren(
      face(person, isHuman),
      h(
        'div',
        null,
        h('p', { class: 'head-name' }, person.name),
        h('p', { class: `head-state ${tone}` }, h('i', { 'aria-hidden': 'true' }), state),
      ),
    );
  }

  introduce_(...content: (Node | string)[]): void {
    this.intro.replaceChildren(...content);
  }

  /** A question about who sits here, above the talk; nothing takes it away. */
  ask_(...content: (Node | string)[]): void {
    this.whose_.replaceChildren(...content);
  }

  tell(notice: string): void {
    if (this.notice.textContent !== notice) this.notice.textContent = notice;
  }

  wait(isTyping: boolean): void {
    if (this.dots.hidden === !isTyping) return;
    this.dots.hidden = !isTyping;
    if (isTyping && this.isAtEnd) this.toEnd();
  }

  unread(count: number): void {
    this.badge.hidden = !count;
    this.badge.textContent = count > 9 ? '9+' : `${count}`;
    const { open, unread } = this.words;
    this.launcher.setAttribute('aria-label', count ? `${open}, ${unread(count)}` : open);
  }

  /** What was said while the panel is closed, as a small card above the launcher. */
  tease(person: Person, isHuman: boolean, text: string): void {
    this.news.textContent = this.words.says(person.name);
    this.teaser.replaceChildren(
      h(
        'button',
        { type: 'button', class: 'teaser-body', onclick: () => this.steward.wanted() },
        face(person, isHuman),
        h('span', null, h('b', null, person.name), h('span', { class: 'teaser-text' }, prose(text, this.words).textContent)),
      ),
      h(
        'button',
        {
          type: 'button',
          class: 'tool',
          'aria-label': this.words.close,
          onclick: () => {
            this.hush();
            this.launcher.focus({ preventScroll: true });
            this.steward.closed();
          },
        },
        icon(icons.close),
      ),
    );
    this.teaser.hidden = false;
  }

  hush(): void {
    this.teaser.hidden = true;
    this.news.textContent = '';
  }

  /** Follows the talk, unless the visitor reads further up. `always`: she said something herself. */
  follow(always = false): void {
    if (always || this.isAtEnd) this.toEnd();
  }

  /** A wider window for a film. */
  grow(): void {
    this.place.toggleAttribute('data-large');
    this.follow();
  }

  get isLarge_(): boolean {
    return this.place.hasAttribute('data-large');
  }

  private toEnd(): void {
    this.isAtEnd = true;
    this.scroll.scrollTop = this.scroll.scrollHeight;
  }

  private menu(show: boolean): void {
    if (this.menuList_.hidden === !show) return;
    this.menuList_.hidden = !show;
    this.menuButton_.setAttribute('aria-expanded', `${show}`);
    if (!show) {
      if (this.menuList_.contains(this.root.activeElement)) this.menuButton_.focus();
      return;
    }
    this.menuList_.replaceChildren(
      ...this.steward.menu().map(({ label, path, act }) => h('button', { type: 'button', onclick: act }, icon(path), label)),
    );
    if (this.byKeyboard_) this.menuList_.querySelector('button')?.focus();
  }

  private keys(event: KeyboardEvent): void {
    if (event.key === 'Escape') {
      event.stopPropagation();
      if (!this.menuList_.hidden) {
        this.menu(false);
        this.menuButton_.focus();
      } else this.close(true);
    }
    // Full screen is modal: the page behind cannot be seen, so Tab must not go there.
    if (event.key === 'Tab' && this.isPhone_) {
      const all = Array.from(this.panel.querySelectorAll<HTMLElement>('button, a[href], input, textarea, video, [tabindex="0"]')).filter(
        (element) => element.getClientRects().length > 0,
      );
      const edge = event.shiftKey ? all[0] : all[all.length - 1];
      if (this.root.activeElement === edge || (event.shiftKey && this.root.activeElement === this.panel)) {
        event.preventDefault();
        (event.shiftKey ? all[all.length - 1] : all[0])?.focus();
      }
    }
  }

  /** Full screen on a phone: what the keyboard leaves of the screen, and the page behind stands still. */
  private fit(isOpen = this.isOpen): void {
    const isFull = isOpen && this.isPhone_;
    const page = document.documentElement;
    // Asked before anything is changed: each question after a change lays out the page once more.
    const { height, offsetTop } = visualViewport || {};
    this.panel.hidden = !isOpen;
    this.launcher.setAttribute('aria-expanded', `${isOpen}`);
    this.place.toggleAttribute('data-open', isOpen);
    this.panel.setAttribute('role', isFull ? 'dialog' : 'region');
    if (isFull) this.panel.setAttribute('aria-modal', 'true');
    else this.panel.removeAttribute('aria-modal');
    if (isFull && height) {
      this.place.style.setProperty('--seen', `${height}px`);
      this.place.style.setProperty('--above', `${offsetTop}px`);
    }
    if (isFull && this.locked == null) {
      this.locked = page.style.overflow;
      page.style.overflow = 'hidden';
    } else if (!isFull && this.locked != null) {
      page.style.overflow = this.locked;
      this.locked = null;
    }
    this.follow();
  }
}
