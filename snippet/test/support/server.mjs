// A server that speaks the wire format and plays one story, so that the client can be developed and tested alone.
// It keeps everything in memory and can be told to fail in the ways networks and servers fail.

import { createServer } from 'node:http';
import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';

const dist = new URL('../../dist/', import.meta.url);

const TEXT = {
  en: {
    hello: 'Welcome back, Nikki. You signed up for “Reading at work” but could not make it.',
    offer: 'Would you like to watch the recording? It is the short version, twelve minutes.',
    now: 'Watch now',
    mail: 'Email me the link',
    skip: 'No thanks',
    title: 'Reading at work: the short version',
    call: 'Shall we set up a 20-minute call to see how a reading programme could look at your company?',
    yes: 'Yes, let’s talk',
    no: 'Not now',
    budget: 'Which budget range is planned?',
    budgets: ['Under €5,000', '€5,000 to €20,000', 'Over €20,000', 'Not sure yet'],
    authority: 'What is your role in the decision?',
    roles: ['I decide', 'I recommend', 'Someone else decides'],
    need: 'What should the programme solve first?',
    short: 'A few more words would help us, please.',
    timeline: 'When would you like to start?',
    times: ['This quarter', 'This year', 'Later'],
    slot: 'Which time suits you?',
    phone: 'Which number can we call to agree a time?',
    thanks: 'A confirmation is on its way to nikki@acme.example. You can change the time with the link in it: https://faro.example/help.',
    wait: 'One moment, I am bringing in a colleague.',
    mike: 'Hi Nikki, Mike here. I have read what you told the bot, thanks. Shall we find a time for a call?',
  },
  es: {
    hello: 'Hola de nuevo, Nikki. Te inscribiste en «Leer en el trabajo» pero no pudiste asistir.',
    offer: '¿Te gustaría ver la grabación? Es la versión corta, doce minutos.',
    now: 'Ver ahora',
    mail: 'Envíame el enlace',
    skip: 'No, gracias',
    title: 'Leer en el trabajo: la versión corta',
    call: '¿Agendamos una llamada de 20 minutos para ver cómo sería un programa de lectura en tu empresa?',
    yes: 'Sí, hablemos',
    no: 'Ahora no',
    budget: '¿Qué presupuesto tenéis previsto?',
    budgets: ['Menos de 5000 €', 'De 5000 a 20 000 €', 'Más de 20 000 €', 'Aún no lo sé'],
    authority: '¿Cuál es tu papel en la decisión?',
    roles: ['Decido yo', 'Recomiendo', 'Decide otra persona'],
    need: '¿Qué debería resolver primero el programa?',
    short: 'Unas palabras más nos ayudarían, por favor.',
    timeline: '¿Cuándo os gustaría empezar?',
    times: ['Este trimestre', 'Este año', 'Más adelante'],
    slot: '¿Qué hora te viene bien?',
    phone: '¿A qué número podemos llamarte para acordar una hora?',
    thanks: 'La confirmación va camino de nikki@acme.example. Puedes cambiar la hora con su enlace: https://faro.example/ayuda.',
    wait: 'Un momento, voy a buscar a un compañero.',
    mike: 'Hola Nikki, soy Mike. He leído lo que le contaste al bot, gracias. ¿Buscamos una hora para hablar?',
  },
};

/** Twelve seconds of a quiet tone: a recording that every browser can play, made without a binary file. */
function tone() {
  const rate = 8000;
  const samples = Buffer.alloc(rate * 12, 128);
  for (let at = 0; at < samples.length; at++) samples[at] = 128 + Math.round(4 * Math.sin(at / 3));
  const head = Buffer.alloc(44);
  head.write('RIFF', 0);
  head.writeUInt32LE(36 + samples.length, 4);
  head.write('WAVEfmt ', 8);
  head.writeUInt32LE(16, 16);
  head.writeUInt16LE(1, 20);
  head.writeUInt16LE(1, 22);
  head.writeUInt32LE(rate, 24);
  head.writeUInt32LE(rate, 28);
  head.writeUInt16LE(1, 32);
  head.writeUInt16LE(8, 34);
  head.write('data', 36);
  head.writeUInt32LE(samples.length, 40);
  return Buffer.concat([head, samples]);
}
const recording = tone();

const poster = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 640 360"><rect width="640" height="360" fill="#123f38"/>
<circle cx="500" cy="120" r="150" fill="#1a5c50"/><rect x="70" y="90" width="150" height="200" rx="6" fill="#f4e9d8"/>
<rect x="70" y="90" width="18" height="200" fill="#d9b27c"/><text x="260" y="190" font-family="Georgia,serif" font-size="44" fill="#fff">Reading</text>
<text x="260" y="240" font-family="Georgia,serif" font-size="44" fill="#fff">at work</text></svg>`;

const captions = 'WEBVTT\n\n00:00.000 --> 00:12.000\nWelcome to the short version.\n';

/** Slots on several days, as the clock of the story has it: Monday 23 November 2026. */
export function slots(days, perDay) {
  const made = [];
  for (let day = 0; day < days; day++) {
    for (let at = 0; at < perDay; at++) {
      const starts_at = Date.UTC(2026, 10, 24 + day, 8 + at, at % 2 ? 30 : 0);
      made.push({ starts_at, ends_at: starts_at + 20 * 60_000 });
    }
  }
  return made;
}

export async function serve(options = {}) {
  const story = new Story(options);
  const server = createServer((request, response) => {
    story.answer(request, response).catch((mistake) => {
      console.error(mistake);
      response.destroy();
    });
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  story.origin = `http://127.0.0.1:${server.address().port}`;
  story.close = () => {
    story.hangUp();
    server.closeAllConnections();
    return new Promise((done) => server.close(done));
  };
  return story;
}

class Story {
  hits = [];
  bodies = [];
  requests = [];
  confirms = [];
  forms = [];
  /** What was told of forms that somebody began to fill in. */
  begun = [];
  /** What was asked for with each showing of a form. */
  shown = [];
  triggers = [];
  watches = [];
  reads = [];
  typings = 0;
  /** What the page told of. */
  told = [];
  transcripts = 0;
  /** What the chat is told to ask, until it is answered; then the visitor of the answer, and whether the talk is theirs. */
  whose = null;
  answered = {};
  answers = [];
  conversations = new Map();
  pages = new Map();
  /** Requests to be failed: `{ match, status, times }`; status 0 cuts the connection. */
  failures = [];
  streams = new Set();
  /** How often a page asks whether somebody has spoken to it first, and what it is told then. */
  again_ms = undefined;
  called = null;
  /** `null`: no flow; else what the trigger answers. */
  flow = null;
  canStream = true;
  /** Streams are opened and then held back, as by a proxy that buffers. */
  mute = false;
  isPaused = false;
  slots = slots(6, 5);
  zone = 'Europe/Madrid';
  start = 'offer';
  /** The bot says nothing by itself: the test asks. */
  isSilent = false;
  pushes = true;

  constructor(options) {
    Object.assign(this, options);
  }

  page(path, html, headers = {}) {
    this.pages.set(path, { html, headers });
  }

  fail(match, status, times = 1, headers = {}) {
    this.failures.push({ match, status, times, headers });
  }

  /** Cuts every open stream, as a proxy or a dying node does. */
  hangUp() {
    for (const stream of this.streams) stream.response.destroy();
    this.streams.clear();
  }

  get newest() {
    return [...this.conversations.values()].at(-1);
  }

  async answer(request, response) {
    const url = new URL(request.url, 'http://x');
    const path = url.pathname;
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const text = Buffer.concat(chunks).toString();
    this.requests.push({ method: request.method, path: request.url, headers: request.headers, text });
    const cors = {
      'access-control-allow-origin': '*',
      'access-control-allow-headers': 'authorization, content-type',
      'access-control-expose-headers': 'retry-after',
    };
    const send = (status, body, headers = {}) => {
      response.writeHead(status, { 'content-type': status < 400 ? 'application/json' : 'application/problem+json', ...cors, ...headers });
      response.end(body === undefined ? undefined : JSON.stringify(body));
    };
    if (request.method === 'OPTIONS') return send(204);
    const failure = this.failures.find(({ match }) => request.url.includes(match) || `${request.method} ${path}` === match);
    if (failure) {
      if (--failure.times <= 0) this.failures.splice(this.failures.indexOf(failure), 1);
      // The server took it, but the answer is lost on the way back.
      if (failure.status === 'after') await this.chat(request.method, url, text, {}, () => {}, response);
      if (failure.status === 0 || failure.status === 'after') return request.socket.destroy();
      return send(failure.status, { title: 'No', status: failure.status, code: 'test.failure', ...failure.body }, failure.headers);
    }
    if (/^\/(e|launcher|moments|chat|forms)\.js$/.test(path)) {
      response.writeHead(200, { 'content-type': 'text/javascript', ...cors });
      return response.end(await readFile(new URL('.' + path, dist)));
    }
    if (path === '/v1/hit') {
      const body = JSON.parse(text);
      this.bodies.push(text);
      const all = [].concat(body);
      for (const hit of all) if (!this.hits.some(({ id }) => id === hit.id)) this.hits.push(hit);
      const wants = this.flow && all.some(({ name }) => name === 'page');
      return send(202, { accepted: all.length, ...(wants ? { chat: 'ask' } : {}) });
    }
    if (path === '/v1/confirm') {
      this.confirms.push(JSON.parse(text));
      return send(200, {});
    }
    if (/^\/v1\/forms\/[^/]+\/begun$/.test(path)) {
      if (request.method === 'POST') this.begun.push(JSON.parse(text));
      return send(204);
    }
    if (path.startsWith('/v1/forms/')) return this.form(request.method, url, text, send);
    if (path === '/v1/chat/trigger') {
      this.triggers.push(JSON.parse(text));
      if (!this.flow) return send(204);
      return send(200, { offers: [].concat(this.flow), again_ms: this.again_ms });
    }
    if (path === '/v1/chat/called') return this.called ? send(200, { offers: [this.called] }) : send(204);
    if (path.startsWith('/v1/chat')) return this.chat(request.method, url, text, request.headers, send, response);
    if (path.startsWith('/r/poster')) {
      response.writeHead(200, { 'content-type': 'image/svg+xml', ...cors });
      return response.end(poster);
    }
    if (path.startsWith('/r/captions')) {
      response.writeHead(200, { 'content-type': 'text/vtt', ...cors });
      return response.end(captions);
    }
    if (path.startsWith('/r/')) return this.film(request, response, cors);
    const page = this.pages.get(path);
    if (page) {
      response.writeHead(200, { 'content-type': 'text/html; charset=utf-8', ...page.headers });
      return response.end(page.html);
    }
    send(404, { title: 'Not found', status: 404, code: 'not_found' });
  }

  film(request, response, cors) {
    const range = /bytes=(\d+)-(\d*)/.exec(request.headers.range || '');
    const from = range ? Number(range[1]) : 0;
    const to = range && range[2] ? Math.min(Number(range[2]), recording.length - 1) : recording.length - 1;
    response.writeHead(range ? 206 : 200, {
      'content-type': 'audio/wav',
      'accept-ranges': 'bytes',
      'content-length': to - from + 1,
      ...(range ? { 'content-range': `bytes ${from}-${to}/${recording.length}` } : {}),
      ...cors,
    });
    response.end(recording.subarray(from, to + 1));
  }

  form(method, url, text, send) {
    const name = url.pathname.split('/').pop();
    const es = /^es/.test(url.searchParams.get('language') || JSON.parse(text || '{}').language);
    if (method === 'GET') {
      this.shown.push(url.search);
      if (name === 'nowhere') return send(404, { status: 404, code: 'form.unknown' });
      return send(200, {
        form: name,
        title: es ? 'Guía: leer en el trabajo' : 'White paper: reading at work',
        intro: es ? '24 páginas con cifras de 40 empresas. Te la enviamos al correo.' : '24 pages with figures from 40 companies. We send it to your inbox.',
        fields: this.fields || [
          { name: 'email', type: 'email', label: es ? 'Correo de trabajo' : 'Work e-mail', required: true, placeholder: es ? 'nombre@empresa.com' : 'name@company.com' },
          ...(name === 'demo'
            ? [
                { name: 'first_name', type: 'text', label: es ? 'Nombre' : 'First name', required: false },
                { name: 'size', type: 'select', label: es ? 'Personas en la empresa' : 'People in the company', required: true, options: ['1–50', '51–500', '500+'] },
                { name: 'notes', type: 'textarea', label: es ? '¿Qué os gustaría lograr?' : 'What would you like to achieve?', required: false },
              ]
            : []),
        ],
        button: es ? 'Enviadme la guía' : 'Send me the paper',
        ...this.definition,
        consents: [{ id: 'newsletter', key: 'agreed', required: !!this.mustAgree, text: es ? 'Enviadme una carta al mes sobre lectura en la empresa.' : 'Send me one letter a month about reading at work.' }],
        privacy: es ? 'Usamos tu correo para enviarte la guía. Puedes borrarlo cuando quieras.' : 'We use your e-mail to send you the paper. You can have it erased at any time.',
        nonce: 'n-1',
      });
    }
    const body = JSON.parse(text);
    this.forms.push(body);
    if (this.problem) return send(422, { status: 422, code: 'form.invalid', title: 'Not valid', ...this.problem(body) });
    if (/@gmail\./.test(body.values.email)) {
      return send(422, {
        status: 422,
        code: 'form.invalid',
        title: 'Not valid',
        fields: { email: es ? 'Escribe tu correo de trabajo, por favor.' : 'Please use your work e-mail for this one.' },
      });
    }
    send(200, {
      visitor: this.definition?.kiosk ? null : this.formVisitor || body.visitor || '0199aaaa-0000-7000-8000-000000000001',
      title: es ? 'Ya es tuya' : 'It is yours',
      message: es ? 'También te la hemos enviado por correo.' : 'We have sent it to your inbox, too.',
      link: '/d/TOKEN',
    });
  }

  // --- chat -------------------------------------------------------------------------------------

  async chat(method, url, text, headers, send, response) {
    const [, , , id, door] = url.pathname.split('/');
    if (!id) {
      const body = JSON.parse(text);
      let conversation = [...this.conversations.values()].find(
        ({ visitor, mode }) => body.visitor && visitor === body.visitor && mode !== 'closed',
      );
      if (!conversation) conversation = this.open(body);
      else conversation.token = randomUUID();
      return send(201, {
        conversation: conversation.id,
        token: conversation.token,
        visitor: conversation.visitor,
        head: conversation.events.length,
        mode: conversation.mode,
        agent: conversation.agent,
        bot: { name: 'Lumi', initials: 'LU' },
        language: conversation.language,
        known: this.known,
      });
    }
    const conversation = this.conversations.get(id);
    if (!conversation) return send(404, { status: 404, code: 'chat.unknown', title: 'Unknown' });
    if (headers.authorization !== `Bearer ${conversation.token}` && headers.authorization !== undefined) {
      return send(401, { status: 401, code: 'chat.token', title: 'Not yours' });
    }
    const after = Number(url.searchParams.get('after') || 0);
    if (door === 'events') {
      const wait = Number(url.searchParams.get('wait') || 0);
      if (wait && conversation.events.length <= after) {
        await new Promise((done) => {
          conversation.waiters.push(done);
          setTimeout(done, wait * 1000).unref();
        });
      }
      const { typing } = conversation;
      conversation.typing = undefined;
      return send(200, { events: conversation.events.slice(after, after + 100), head: conversation.events.length, typing, ...(this.whose && !after ? { ask: this.whose } : {}) });
    }
    if (door === 'stream') {
      if (!this.canStream) return send(200, { sorry: 'no stream here' });
      response.writeHead(200, { 'content-type': 'text/event-stream', 'access-control-allow-origin': '*' });
      response.flushHeaders();
      const stream = { response, conversation };
      this.streams.add(stream);
      response.on('close', () => this.streams.delete(stream));
      for (const event of conversation.events.slice(after)) this.write(stream, event);
      if (!this.mute) response.write(`event: head\ndata: {"head":${conversation.events.length}}\n\n`);
      return;
    }
    if (door === 'messages') return this.message(conversation, JSON.parse(text), send);
    if (door === 'watch') {
      const body = JSON.parse(text);
      this.watches.push(body);
      const seen = (conversation.seen ||= []);
      for (const [from, to] of body.ranges) for (let at = Math.floor(from); at < to; at++) seen[at] = true;
      const percent = Math.round((seen.filter(Boolean).length / 12) * 100);
      if (percent >= 50 && !conversation.asked) {
        conversation.asked = true;
        this.offerCall(conversation);
      }
      return send(200, { percent });
    }
    if (door === 'typing') this.typings++;
    if (door === 'event') this.told.push(JSON.parse(text).name);
    if (door === 'read') this.reads.push(JSON.parse(text));
    if (door === 'rating') {
      const { score, comment } = JSON.parse(text);
      return send(201, { event: this.append(conversation, { kind: 'visitor' }, { type: 'rated', score, comment }) });
    }
    if (door === 'transcript') this.transcripts++;
    if (door === 'whose') {
      this.answers.push(JSON.parse(text).answer);
      this.whose = null;
      return send(200, { visitor: conversation.visitor, trust: 'clicked', goes_on: true, ...this.answered });
    }
    send(200, {});
  }

  open({ visitor, language, consent }) {
    const lang = /^es/.test(language) ? 'es' : 'en';
    const conversation = {
      id: randomUUID(),
      token: randomUUID(),
      visitor: visitor || randomUUID(),
      consent,
      language: lang,
      text: TEXT[lang],
      mode: 'bot',
      agent: null,
      events: [],
      byClient: new Map(),
      waiters: [],
      answers: {},
    };
    this.conversations.set(conversation.id, conversation);
    this.script(conversation);
    return conversation;
  }

  script(c) {
    const { text } = c;
    this.say(c, text.hello);
    if (this.start === 'offer') this.choices(c, 'offer_recording', text.offer, { now: text.now, email: text.mail, skip: text.skip });
    if (this.start === 'slot') this.pick(c);
    if (this.start === 'email') this.ask(c, 'email', 'Where can we write to you?', { kind: 'email' });
    if (this.start === 'call') this.offerCall(c);
  }

  /** Appends to the log; tells the streams unless this event is to be lost on the way. */
  append(c, author, body, { lost = false, client_id } = {}) {
    const event = { seq: c.events.length + 1, at: this.now?.() ?? Date.now(), author, body, ...(client_id ? { client_id } : {}) };
    c.events.push(event);
    if (!lost && this.pushes) for (const stream of this.streams) if (stream.conversation === c) this.write(stream, event);
    for (const waiter of c.waiters.splice(0)) waiter();
    return event;
  }

  write({ response }, event) {
    if (this.mute) return;
    response.write(`id: ${event.seq}\nevent: event\ndata: ${JSON.stringify(event)}\n\n`);
  }

  beat(c = this.newest, read = 0) {
    for (const { response, conversation } of this.streams) {
      if (conversation === c) response.write(`event: head\ndata: {"head":${c.events.length},"read":${read}}\n\n`);
    }
  }

  types(who, name, c = this.newest) {
    for (const { response } of this.streams) response.write(`event: typing\ndata: ${JSON.stringify({ who, name })}\n\n`);
    c.typing = { who, name };
    for (const waiter of c.waiters.splice(0)) waiter();
    return c;
  }

  say(c, text, how) {
    return this.append(c, { kind: 'bot', name: 'Lumi' }, { type: 'text', text }, how);
  }

  ask(c, question, text, input, progress = null) {
    c.question = question;
    this.append(c, { kind: 'bot', name: 'Lumi' }, { type: 'ask', question, text, input, progress });
  }

  choices(c, question, text, labels, progress) {
    c.labels = labels;
    this.ask(c, question, text, { kind: 'choice', choices: Object.entries(labels).map(([id, label]) => ({ id, label })) }, progress);
  }

  status(c, mode, agent = null, text = null) {
    c.mode = mode;
    c.agent = agent;
    this.append(c, { kind: 'system' }, { type: 'status', mode, agent, text });
  }

  mikeJoins(c = this.newest) {
    this.status(c, 'human', { name: 'Mike', initials: 'MI' });
    this.mike(c.text.mike, c);
  }

  mike(text, c = this.newest, how) {
    return this.append(c, { kind: 'agent', name: 'Mike' }, { type: 'text', text }, how);
  }

  offerCall(c) {
    this.choices(c, 'offer_call', c.text.call, { yes: c.text.yes, no: c.text.no });
  }

  pick(c, more = false) {
    this.ask(c, 'pick_slot', c.text.slot, { kind: 'slot', slots: this.slots, zone: this.zone, more });
  }

  message(c, { client_id, body }, send) {
    const before = c.byClient.get(client_id);
    if (before) {
      if (JSON.stringify(before.sent) !== JSON.stringify(body)) {
        return send(409, { status: 409, code: 'chat.client_id_reused', title: 'Used' });
      }
      return send(200, { event: before.event });
    }
    if (body.question && body.question !== c.question) {
      return send(409, { status: 409, code: 'chat.question_over', title: 'Over' });
    }
    const shown =
      body.type === 'choice'
        ? { ...body, label: c.labels?.[body.choice] ?? body.choice }
        : body.type === 'answer'
          ? { type: 'answer', question: body.question, text: body.value }
          : body;
    const event = this.append(c, { kind: 'visitor' }, shown, { client_id });
    c.byClient.set(client_id, { sent: body, event });
    // The bot answers after the sender knows that it was heard.
    setTimeout(() => this.react(c, body), this.bot_ms ?? 0);
    send(201, { event, visitor: this.nextVisitor || c.visitor });
  }

  react(c, body) {
    const { text } = c;
    const listed = (labels) => Object.fromEntries(labels.map((label, at) => [`o${at}`, label]));
    if (body.type === 'human_requested') {
      this.say(c, text.wait);
      return this.status(c, 'waiting');
    }
    if (c.mode !== 'bot' || body.type === 'text' || this.isSilent) return;
    const answered = c.question;
    const key = body.choice || answered;
    if (key === 'skip' || key === 'no') return this.end(c, 'declined');
    if (key === 'now' || body.choice === 'email') {
      return this.append(
        c,
        { kind: 'bot', name: 'Lumi' },
        {
          type: 'video',
          recording: 'reading-at-work',
          title: text.title,
          src: '/r/film',
          poster: '/r/poster',
          captions: [{ src: '/r/captions', language: 'en', label: 'English' }],
          duration_s: 12,
          watched_percent: 0,
        },
      );
    }
    if (key === 'yes') return this.choices(c, 'budget', text.budget, listed(text.budgets), { step: 1, of: 4 });
    if (answered === 'budget') return this.choices(c, 'authority', text.authority, listed(text.roles), { step: 2, of: 4 });
    if (answered === 'authority') return this.ask(c, 'need', text.need, { kind: 'text', multiline: true }, { step: 3, of: 4 });
    if (answered === 'need') {
      if (body.value.length < 5) {
        return this.append(c, { kind: 'bot', name: 'Lumi' }, { type: 'invalid', question: 'need', text: text.short });
      }
      return this.choices(c, 'timeline', text.timeline, listed(text.times), { step: 4, of: 4 });
    }
    if (answered === 'email') {
      if (!/@.+\./.test(body.value)) {
        return this.append(c, { kind: 'bot' }, { type: 'invalid', question: 'email', text: 'That does not look like an e-mail address yet.' });
      }
      return this.say(c, 'Thank you.');
    }
    if (answered === 'timeline') return this.pick(c, true);
    if (answered === 'pick_slot' && body.none_fit) return this.ask(c, 'phone', text.phone, { kind: 'phone' });
    if (answered === 'pick_slot') {
      this.append(
        c,
        { kind: 'bot', name: 'Lumi' },
        {
          type: 'booked',
          booking: randomUUID(),
          starts_at: body.starts_at,
          ends_at: body.starts_at + 20 * 60_000,
          zone: this.zone,
          with: 'Mike',
          manage: '/b/TOKEN',
          calendar: '/b/TOKEN/calendar.ics',
          location: 'https://meet.example/faro',
        },
      );
      this.say(c, text.thanks);
      return this.end(c, 'booked');
    }
    this.end(c, 'done');
  }

  end(c, outcome) {
    this.append(c, { kind: 'system' }, { type: 'end', outcome });
    c.mode = 'closed';
  }
}
