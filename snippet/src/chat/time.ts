// Dates and times in the reader's language, always in a named zone.

/** Cities whose Spanish name differs from the zone's; the same as the server's, and those that old browsers name. */
const CIUDADES =
  'Addis Ababa:Adís Abeba,Algiers:Argel,Athens:Atenas,Belgrade:Belgrado,Berlin:Berlín,Bogota:Bogotá,' +
  'Brussels:Bruselas,Bucharest:Bucarest,Cairo:El Cairo,Canary:Canarias,Copenhagen:Copenhague,Dubai:Dubái,' +
  'Dublin:Dublín,Havana:La Habana,Istanbul:Estambul,Lisbon:Lisboa,London:Londres,Los Angeles:Los Ángeles,' +
  'Luxembourg:Luxemburgo,Mexico City:Ciudad de México,Moscow:Moscú,New York:Nueva York,Panama:Panamá,' +
  'Paris:París,Prague:Praga,Rome:Roma,Sao Paulo:São Paulo,Singapore:Singapur,Stockholm:Estocolmo,' +
  'Sydney:Sídney,Tokyo:Tokio,Vienna:Viena,Warsaw:Varsovia,Zurich:Zúrich';

type Parts = Intl.DateTimeFormatOptions;

export class Calendar {
  readonly locale: string;
  private readonly zone: string | undefined;

  /** Without a zone in the visitor's own. */
  constructor(language: string, zone?: string) {
    // `en` alone does not say which comes first, day or month; the browser's own regional variant does.
    const short = language.slice(0, 2);
    this.locale = navigator.languages.find((tag) => tag.slice(0, 2) === short) || language;
    this.zone = known(zone);
  }

  private format(at: number, parts: Parts): string {
    const text = new Intl.DateTimeFormat(this.locale, { timeZone: this.zone, ...parts }).format(at);
    // "martes 3 de marzo", as in our pages and mails; some browsers put a comma after the day.
    return this.locale.slice(0, 2) === 'es' ? text.replace(',', '') : text;
  }

  /** A key that sorts and is equal for the same day of the zone. */
  day(at: number): string {
    return new Intl.DateTimeFormat('sv', { timeZone: this.zone }).format(at);
  }

  weekday(at: number, how: 'short' | 'long' = 'short'): string {
    return this.format(at, { weekday: how }).replace('.', '');
  }

  number(at: number): string {
    return this.format(at, { day: 'numeric' });
  }

  month(at: number): string {
    return this.format(at, { month: 'short' }).replace('.', '');
  }

  /** November 2026 */
  monthYear(at: number): string {
    return this.format(at, { month: 'long', year: 'numeric' });
  }

  /** 10:00: as in our pages and mails, which know no other notation. */
  time(at: number): string {
    return this.format(at, { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' });
  }

  /** Tue 24 Nov */
  shortDay(at: number): string {
    return this.format(at, { weekday: 'short', day: 'numeric', month: 'short' });
  }

  /** Tuesday 24 November */
  longDay(at: number): string {
    return this.format(at, { weekday: 'long', day: 'numeric', month: 'long' });
  }

  /** Thursday 24 December 2026 */
  fullDay(at: number): string {
    return this.format(at, { weekday: 'long', day: 'numeric', month: 'long', year: 'numeric' });
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
    if (!this.zone || /^(Etc\/|UTC|GMT)/.test(this.zone)) return '';
    const name = this.zone.split('/').pop()!.replace(/_/g, ' ');
    return (this.locale.slice(0, 2) === 'es' && CIUDADES.match(`(?:^|,)${name}:([^,]+)`)?.[1]) || name;
  }
}

/** A zone this browser does not know is shown as UTC: wrong nowhere, only less friendly. */
function known(zone?: string): string | undefined {
  try {
    new Intl.DateTimeFormat('en', { timeZone: zone });
    return zone;
  } catch {
    return 'UTC';
  }
}

/** Day and time where the visitor is: `2026-11-24` and `10:00`. */
export const here = (at: number): string[] => new Date(at - new Date(at).getTimezoneOffset() * 60_000).toISOString().split(/T|:\d\d\./);

export const capital = (text: string) => text.charAt(0).toLocaleUpperCase() + text.slice(1);
