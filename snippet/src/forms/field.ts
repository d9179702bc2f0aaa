// One field of a form that we draw: its elements, what was typed, and where a mistake is told.

import { h } from '../shared/dom';
import type { Condition } from '../shared/condition';
import type { Field } from './wire';
import type { Words } from './words';

export interface Drawn {
  name: string;
  place: HTMLElement;
  error: HTMLElement;
  /** What a mistake is told of, the first of which takes the focus. */
  inputs: HTMLInputElement[];
  required?: boolean;
  email?: boolean;
  condition?: Condition;
  /** What is sent; empty if nothing was typed. */
  typed(): string | string[];
  /** What conditions see. */
  answer(): unknown;
}

/** What the browser calls a field when it offers to fill it in. */
const AUTOFILL: Record<string, string> = {
  email: 'email',
  name: 'name',
  first_name: 'given-name',
  last_name: 'family-name',
  phone: 'tel',
  company: 'organization',
  job_title: 'organization-title',
  role: 'organization-title',
  country: 'country-name',
};

export function field(of: Field, text: Words): Drawn {
  const id = `f-${of.name}`;
  const kind = of.kind || of.type;
  const error = h('p', { id: `${id}-error`, class: 'error' });
  const hint = of.hint && h('p', { id: `${id}-hint`, class: 'hint' }, of.hint);
  const described = `${id}-error${hint ? ` ${id}-hint` : ''}`;
  const options = (of.options || []).map((option) =>
    typeof option === 'string' ? { value: option, label: option } : option,
  );
  const optional = !of.required && h('small', null, ` (${text.optional})`);
  const base = {
    name: of.name,
    error,
    required: of.required,
    email: of.type === 'email',
    condition: of.show_if ? JSON.parse(of.show_if) : undefined,
  };

  if (kind === 'radio' || kind === 'checkboxes') {
    const inputs = options.map(({ value }) => h('input', { type: kind === 'radio' ? kind : 'checkbox', name: of.name, value }));
    const chosen = () => inputs.filter((input) => input.checked).map((input) => input.value);
    const place = h(
      'fieldset',
      { class: 'field', 'aria-describedby': described },
      h('legend', null, of.label, optional),
      hint,
      ...inputs.map((input, at) => h('label', { class: 'agree' }, input, h('span', null, options[at]!.label))),
      error,
    );
    return {
      ...base,
      place,
      inputs,
      typed: () => (kind === 'radio' ? chosen()[0] || '' : chosen()),
      answer: () => (kind === 'radio' ? chosen()[0] : chosen()),
    };
  }

  if (kind === 'checkbox') {
    const input = h('input', { id, type: 'checkbox', name: of.name, 'aria-describedby': described });
    const place = h('div', { class: 'field' }, h('label', { class: 'agree' }, input, h('span', null, of.label)), hint, error);
    return {
      ...base,
      place,
      inputs: [input],
      typed: () => (input.checked ? 'true' : ''),
      answer: () => input.checked,
    };
  }

  const values = {
    id,
    name: of.name,
    required: of.required,
    placeholder: of.placeholder,
    min: of.min,
    max: of.max,
    maxlength: of.max_length,
    autocomplete: of.autocomplete || AUTOFILL[of.name] || (of.type === 'email' ? 'email' : of.type === 'tel' ? 'tel' : null),
    'aria-describedby': described,
  };
  const input =
    of.multiline || kind === 'textarea'
      ? h('textarea', { ...values, rows: 4 })
      : options.length || kind === 'select'
        ? h('select', values, h('option', { value: '' }, text.choose), ...options.map(({ value, label }) => h('option', { value }, label)))
        : h('input', { ...values, type: of.type === 'phone' ? 'tel' : of.type });
  const typed = () => input.value.trim();
  return {
    ...base,
    place: h('div', { class: 'field' }, h('label', { for: id }, of.label, optional), hint, input, error),
    inputs: [input as HTMLInputElement],
    typed,
    answer: () => (kind === 'number' ? (/^-?\d+$/.test(typed()) ? +typed() : undefined) : typed() || undefined),
  };
}
