// The log as people see it: who said what, in the order of the log.

import { address, outside } from '../shared/address';
import { h, icon } from '../shared/dom';
import type { Host } from '../shared/host';
import { icons } from './icons';
import { picture } from './picture';
import { Calendar, capital, here } from './time';
import type { Words } from './words';
import type { Ask, Booked, Card, Event, File, Image, Person } from './wire';

const LULL_MS = 15 * 60_000;

/** A face: a disc for a person, a tile for the bot, so that colour is not the only difference. */
export function face({ name, initials }: Person, isHuman: boolean): HTMLElement {
  const letters = initials || name.split(/\s+/, 2).map((part) => part.charAt(0)).join('');
  return h('span', { class: isHuman ? 'face human' : 'face', 'aria-hidden': 'true' }, letters.slice(0, 2).toUpperCase());
}

const LINK = /https:\/\/[^\s<>"']*[^\s<>"'.,;:!?)\]}]/g;

/** Plain text in which web addresses can be followed. Nothing else is ever read out of it. */
export function prose(text: string, words: Words): DocumentFragment {
  const made = document.createDocumentFragment();
  let from = 0;
  for (const match of text.matchAll(LINK)) {
    made.append(text.slice(from, match.index), outward(match[0], [match[0].replace(/^https:\/\//, '')], words));
    from = match.index! + match[0].length;
  }
  made.append(text.slice(from));
  return made;
}

/** A link that leaves the page alone: the conversation goes on in it. */
export function outward(href: string, label: (Node | string)[], words: Words, look = 'link'): HTMLAnchorElement {
  return h(
    'a',
    { class: look, href, target: '_blank', rel: 'noopener noreferrer' },
    ...label,
    h('span', { class: 'sr' }, ` (${words.newTab})`),
  );
}

export class Bubbles {
  private speaker = '';
  /** The last who spoke on the other side. */
  private partner = '';
  private spokeAt = 0;
  /** What the visitor said and the server has not confirmed, by its id. */
  private readonly mine = new Map<string, HTMLElement>();

  constructor(
    private log: HTMLElement,
    private host: Host,
    private words: Words,
    private language: string,
  ) {}

  /** Something from the other side, `content` being a bubble's text or a whole card. */
  theirs(event: Event, person: Person, content: Node, isCard = false): HTMLElement {
    this.lull(event.at);
    const isHuman = event.author.kind === 'agent';
    const key = event.author.kind + person.name;
    const isFirst = this.speaker !== key;
    // The name is said when it is a new one: the face is enough to go on.
    const isNamed = this.partner !== key;
    this.speaker = this.partner = key;
    const row = h(
      'div',
      { class: `row theirs${isFirst ? ' first' : ''}${isNamed ? ' named' : ''}` },
      isFirst && face(person, isHuman),
      h(
        'div',
        { class: 'stack' },
        isNamed ? h('p', { class: 'who' }, person.name) : h('span', { class: 'sr' }, `${person.name}: `),
        isCard ? content : h('div', { class: 'bubble' }, content),
      ),
    );
    this.log.append(row);
    return row;
  }

  ask(event: Event, person: Person, { text, progress }: Ask): HTMLElement {
    const content = document.createDocumentFragment();
    if (progress && progress.of > 1) {
      const bars = Array.from({ length: progress.of }, (_, at) => h('i', { class: at < progress.step ? 'on' : null }));
      content.append(
        h(
          'span',
          { class: 'progress' },
          h('span', { class: 'bars', 'aria-hidden': 'true' }, ...bars),
          this.words.progress(progress.step, progress.of),
        ),
      );
    }
    content.append(prose(text, this.words));
    return this.theirs(event, person, content);
  }

  /** What the visitor said; `client_id` while it is not confirmed. */
  ours(text: string, at: number, client_id?: string | null): HTMLElement {
    this.lull(at);
    const isFirst = this.speaker !== 'visitor';
    this.speaker = 'visitor';
    const row = h(
      'div',
      { class: `row ours${isFirst ? ' first' : ''}` },
      h('div', { class: 'stack' }, h('span', { class: 'sr' }, `${this.words.you}: `), h('div', { class: 'bubble' }, prose(text, this.words))),
    );
    if (client_id) this.mine.set(client_id, row);
    this.log.append(row);
    return row;
  }

  /** The server has it. False: it was not said in this page. */
  confirm(client_id: string | null | undefined): boolean {
    const row = client_id && this.mine.get(client_id);
    if (!row) return false;
    this.mine.delete(client_id);
    this.note(row, '');
    // The log decides the order, should somebody else have been faster.
    if (row.nextElementSibling) this.log.append(row);
    return true;
  }

  delay(client_id: string): void {
    const row = this.mine.get(client_id);
    if (row) this.note(row, this.words.waits);
  }

  refuse(client_id: string, why: string): void {
    const row = this.mine.get(client_id);
    if (!row) return;
    this.mine.delete(client_id);
    row.classList.add('refused');
    this.note(row, why);
  }

  status(text: string): void {
    this.speaker = '';
    this.log.append(h('p', { class: 'status' }, text));
  }

  booked(event: Event, person: Person, body: Booked): HTMLElement {
    const { words } = this;
    const calendar = new Calendar(this.language, body.zone);
    const city = calendar.city();
    const offset = calendar.offset(body.starts_at);
    const fact = (path: string, ...lines: (Node | string)[]) =>
      h('li', null, icon(path), h('span', null, ...lines));
    const manage = body.manage && address(this.host, body.manage);
    const file = body.calendar && address(this.host, body.calendar);
    const place = body.location || '';
    return this.theirs(
      event,
      person,
      h(
        'div',
        { class: 'card booked' },
        h('p', { class: 'done' }, h('span', { class: 'tick' }, icon(icons.check)), words.booked),
        h('p', { class: 'day' }, capital(calendar.longDay(body.starts_at))),
        h(
          'ul',
          null,
          fact(
            icons.calendar,
            h('strong', null, `${calendar.time(body.starts_at)} – ${calendar.time(body.ends_at)}`),
            h('small', null, city ? `${words.zone(city)} (${offset})` : offset),
          ),
          fact(icons.person, words.with(body.with)),
          place && fact(icons.place, /^https:\/\//.test(place) ? outward(place, [words.video], words) : place),
        ),
        (manage || file) &&
          h(
            'p',
            { class: 'acts' },
            file && h('a', { class: 'button', href: file, download: '' }, words.calendar),
            manage && outward(manage, [words.manage], words, 'button quiet'),
          ),
      ),
      true,
    );
  }

  image(event: Event, person: Person, { src, alt, caption }: Image & { caption?: string | null }): HTMLElement {
    const figure = h('figure', { class: 'card shown' }, picture(outside(src), alt), caption && h('figcaption', null, caption));
    return this.theirs(event, person, figure, true);
  }

  file(event: Event, person: Person, { title, href, kind }: File): HTMLElement {
    const name = [h('b', null, title), kind && h('small', null, kind.toUpperCase())];
    const content = [h('span', { class: 'tick' }, icon(icons.file)), h('span', null, ...name)];
    const link = outside(href);
    return this.theirs(event, person, link ? outward(link, content, this.words, 'card file') : h('p', { class: 'card file' }, ...content), true);
  }

  card(event: Event, person: Person, { title, text, image, link }: Card): HTMLElement {
    const { words } = this;
    const href = link && outside(link.href);
    const content = h(
      'div',
      { class: 'card shown' },
      image && picture(outside(image.src), image.alt),
      h(
        'div',
        { class: 'says' },
        h('b', null, title),
        text && h('p', null, prose(text, words)),
        href && outward(href, [link!.label], words, 'button wide'),
      ),
    );
    return this.theirs(event, person, content, true);
  }

  clear(): void {
    this.speaker = this.partner = '';
    this.spokeAt = 0;
    this.mine.clear();
    this.log.replaceChildren();
  }

  private note(row: HTMLElement, text: string): void {
    row.querySelector('.note')?.remove();
    if (text) row.querySelector('.stack')!.append(h('p', { class: 'note' }, text));
  }

  /** After a lull the log says what time it is. */
  private lull(at: number): void {
    if (at - this.spokeAt > LULL_MS) {
      // A formatter is not asked for what is said today: the first one of a page takes long.
      const [date, time] = here(at);
      const day = date === here(Date.now())[0] ? this.words.today : new Calendar(this.language).shortDay(at);
      this.speaker = '';
      this.log.append(h('p', { class: 'when' }, h('time', { datetime: new Date(at).toISOString() }, `${day}, ${time}`)));
    }
    this.spokeAt = Math.max(at, this.spokeAt);
  }
}
