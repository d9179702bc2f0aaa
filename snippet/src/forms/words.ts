export const words = {
  en: {
    required: 'Please fill this in.',
    agree: 'Please tick this, without it we may not go on.',
    email: 'That does not look like an e-mail address yet, for example name@company.com.',
    sending: 'Sending…',
    away: 'It could not be sent just now. What you typed is kept; please try again.',
    busy: 'That was a little fast. Please wait a moment and try again.',
    optional: 'optional',
    opens: 'opens in a new tab',
    choose: 'Choose…',
    open: 'Download',
    next: 'The next person',
  },
  es: {
    required: 'Rellena este campo, por favor.',
    agree: 'Marca la casilla, por favor: sin ella no podemos seguir.',
    email: 'Todavía no parece un correo, por ejemplo nombre@empresa.com.',
    sending: 'Enviando…',
    away: 'Ahora mismo no se ha podido enviar. Lo que escribiste sigue aquí; inténtalo otra vez.',
    busy: 'Ha ido un poco rápido. Espera un momento e inténtalo otra vez.',
    optional: 'opcional',
    opens: 'se abre en otra pestaña',
    choose: 'Elige…',
    open: 'Descargar',
    next: 'La siguiente persona',
  },
};
export type Words = typeof words.en;
