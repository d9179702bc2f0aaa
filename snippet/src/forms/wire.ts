// What the server says of a form, and what it answers.

export interface Option {
  value: string;
  label: string;
}

export interface Field {
  name: string;
  /** `text`, `radio`, `checkboxes`, `country` …; older servers only say the type. */
  kind?: string;
  type: string;
  label: string;
  required?: boolean;
  placeholder?: string | null;
  hint?: string | null;
  /** Room for several lines. */
  multiline?: boolean;
  /** The browser's word for what belongs here; known names have one without it. */
  autocomplete?: string;
  options?: (string | Option)[];
  min?: string | null;
  max?: string | null;
  max_length?: number | null;
  /** JSON: shown only while this holds. */
  show_if?: string | null;
}

export interface Consent {
  id: string;
  /** What the server calls it when it is missing. */
  key?: string;
  text: string;
  required?: boolean;
}

export interface Definition {
  form: string;
  title?: string | null;
  intro?: string | null;
  fields: Field[];
  button: string;
  consents?: Consent[];
  privacy?: string | null;
  /** Filled in by one person after the other: nothing is remembered. */
  kiosk?: boolean;
  nonce: string;
}

export interface Sent {
  visitor?: string | null;
  title?: string;
  message?: string;
  link?: string | null;
}

export interface Problem {
  detail?: string;
  fields?: Record<string, string>;
  /** Only a warning: sent again, the form is taken. */
  warned?: boolean;
}
