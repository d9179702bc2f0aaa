// Dates and times in the reader's language, always in a named zone.

type Parts = Intl.DateTimeFormatOptions;

export class Calendar {
  private readonly locale: string;
  private readonly zone: string;

  constructor(language: string, zone: string) {
    // `en` alone does not say whether 15:00 is 3 pm; the browser's own regional variant does.
    const short = language.slice(0, 2);
    this.locale = navigator.languages.find((tag) => tag.slice(0, 2) === short) || language;
    this.zone = known(zone);
  }

  private format(at: number, parts: Parts): string {
    return new Intl.DateTimeFormat(this.locale, { timeZone: this.zone, ...parts }).format(at);
  }

  /** A key that sorts and is equal for the same day of the zone. */
  day(at: number): string {
    return new Intl.DateTimeFormat('en-CA', { timeZone: this.zone }).format(at);
  }

  weekday(at: number): string {
    return this.format(at, { weekday: 'short' }).replace('.', '');
  }

  number(at: number): string {
    return this.format(at, { day: 'numeric' });
  }

  month(at: number): string {
    return this.format(at, { month: 'short' }).replace('.', '');
  }

  time(at: number): string {
    return this.format(at, { hour: 'numeric', minute: '2-digit' });
  }

  /** Tue 24 Nov */
  shortDay(at: number): string {
    return this.format(at, { weekday: 'short', day: 'numeric', month: 'short' });
  }

  /** Tuesday 24 November */
  longDay(at: number): string {
    return this.format(at, { weekday: 'long', day: 'numeric', month: 'long' });
  }

  /** GMT+1, as it is at that moment. */
  offset(at: number): string {
    let parts: Intl.DateTimeFormatPart[];
    try {
      parts = new Intl.DateTimeFormat('en', { timeZone: this.zone, timeZoneName: 'shortOffset' } as Parts).formatToParts(at);
    } catch {
      parts = new Intl.DateTimeFormat('en', { timeZone: this.zone, timeZoneName: 'short' }).formatToParts(at);
    }
    return parts.find(({ type }) => type === 'timeZoneName')?.value || '';
  }

  /** `Madrid`, or nothing for a zone that is no place. */
  city(): string {
    return /^(Etc\/|UTC|GMT)/.test(this.zone) ? '' : this.zone.split('/').pop()!.replace(/_/g, ' ');
  }
}

/** A zone this browser does not know is shown as UTC: wrong nowhere, only less friendly. */
function known(zone: string): string {
  try {
    new Intl.DateTimeFormat('en', { timeZone: zone });
    return zone;
  } catch {
    return 'UTC';
  }
}

export const ownZone = () => Intl.DateTimeFormat().resolvedOptions().timeZone || 'UTC';
