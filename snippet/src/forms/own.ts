// A form that the page has made itself: `<form data-embudo-form="white-paper">`. Its markup and its own checks stay; we
// send it, and tell beside its fields what was wrong.

import { address } from '../shared/address';
import { guarded, h } from '../shared/dom';
import type { Host } from '../shared/host';
import { type Values, load, sender, teller } from './send';
import type { Definition } from './wire';
import { type Words, words } from './words';

export async function own(host: Host, form: HTMLFormElement, language: string): Promise<void> {
  const name = form.dataset.embudoForm!;
  const text: Words = /^es/i.test(language) ? words.es : words.en;
  const answer = await load(host, name, language, true);
  // Then it goes where its `action` says.
  if (!answer.ok) throw `the form "${name}" is not there: ${answer.status}`;
  const definition: Definition = await answer.json();
  const send = sender(host, definition, language, text);
  let isSending = false;

  form.addEventListener('input', guarded(teller(host, definition, language)));
  const region = h('p', { role: 'alert', class: 'embudo-trouble' });
  form.append(region);
  const errors = new Map<string, HTMLElement>();

  const fieldsOf = (name: string) => {
    const key = name.replace(/^agreed\.?/, '');
    const wanted = [...form.elements] as HTMLInputElement[];
    return /^agreed/.test(name)
      ? wanted.filter((input) => input.name === 'agreed' && (!key || input.value === key))
      : wanted.filter((input) => input.name === name);
  };

  /** Tells each mistake beside its field, in an element that belongs to it; what has no field is told below. */
  const tell = (told: Record<string, string>) => {
    let first: HTMLElement | undefined;
    for (const [name, place] of errors) {
      place.textContent = '';
      for (const input of fieldsOf(name)) input.removeAttribute('aria-invalid');
    }
    const left: string[] = [];
    for (const name in told) {
      const inputs = fieldsOf(name);
      const last = inputs[inputs.length - 1];
      if (!last) {
        left.push(told[name]!);
        continue;
      }
      let place = errors.get(name);
      if (!place) {
        place = h('p', { class: 'embudo-error', id: `embudo-${definition.form}-${name}-error` });
        // The page may have kept a place for it.
        const kept = form.querySelector<HTMLElement>(`[data-embudo-error="${CSS.escape(name)}"]`);
        if (kept) kept.append(place);
        else (last.closest('label') || last).after(place);
        errors.set(name, place);
        for (const input of inputs) {
          input.setAttribute('aria-describedby', `${input.getAttribute('aria-describedby') || ''} ${place.id}`.trim());
        }
      }
      place.textContent = told[name]!;
      for (const input of inputs) input.setAttribute('aria-invalid', 'true');
      first = first || inputs[0];
    }
    region.textContent = left.join(' ');
    first?.focus();
  };

  const values = (): [Values, string[], string] => {
    const data = new FormData(form);
    const agreed = data.getAll('agreed').map(String);
    const website = String(data.get('website') || '');
    const all: Values = {};
    for (const name of new Set(data.keys())) {
      if (name === 'agreed' || name === 'website') continue;
      const several = data.getAll(name).filter((value): value is string => typeof value === 'string');
      all[name] = several.length > 1 ? several : (several[0] || '').trim();
    }
    return [all, agreed, website];
  };

  form.addEventListener(
    'submit',
    guarded(async (event: SubmitEvent) => {
      // The page's own check has refused it.
      if (event.defaultPrevented) return;
      event.preventDefault();
      if (isSending) return;
      isSending = true;
      form.setAttribute('aria-busy', 'true');
      const { sent, fields, trouble } = await send(...values());
      isSending = false;
      form.removeAttribute('aria-busy');
      if (!sent) return tell(fields || { '': trouble! });
      tell({});
      form.setAttribute('data-embudo-sent', '');
      // The page may say thank you itself.
      const news = new CustomEvent('embudo:sent', { bubbles: true, cancelable: true, detail: sent });
      if (!form.dispatchEvent(news)) return;
      const thanks = h(
        'div',
        { class: 'embudo-done', tabindex: -1, role: 'status' },
        h('p', null, h('strong', null, sent.title)),
        h('p', null, sent.message),
        sent.link && h('p', null, h('a', { href: address(host, sent.link), target: '_blank', rel: 'noopener' }, text.open)),
      );
      form.hidden = true;
      form.after(thanks);
      thanks.focus();
    }),
  );
}
