// @ts-nocheck
// oxlint-disable -- plain script for apps: web views, React Native, NativeScript
/* What mobile apps carry: no dependencies, no globals but the one that the app gives it.
 *
 * const millrace = millraceMobile({ url, key, storage, fetch, random, now })
 *   storage  { get(name), set(name, text), remove(name) }: may be async; what the device keeps
 *   fetch    as in browsers
 *   random   fills a Uint8Array with random bytes; default crypto.getRandomValues
 * await millrace.consent(['recommendation'], { receipt })  the person agreed: from now on acts are kept and sent
 * await millrace.withdraw()                                told once, then nothing is kept
 * await millrace.track('view', { item: 'v1', value: 80 })  before consent it is forgotten at once
 * millrace.at(latitude, longitude)                         where the next acts happen; made coarse before it is kept
 * millrace.moving({ hz, x, y, z })                         the window of motion that goes with the next act
 * await millrace.answer('commutes', 1, { choices: 3, epsilon: 2 })
 *                                                          the answer to a declared question is number 1: what chance makes of it is
 *                                                          kept and sent, the answer itself never; asked again it is the same
 * await millrace.flush()                                   sends what is kept; true: all of it is taken in
 *
 * The exact place never leaves this script: acts carry the middle of a cell of the declared grid. */
function millraceMobile(o) {
  var GRID = 0.1,
    WORD = 4294967296,
    ACTS_MAX = 500,
    BATCH = 20;
  var now = o.now || Date.now,
    place,
    motion,
    line = Promise.resolve();
  var random =
    o.random ||
    function (bytes) {
      return globalThis.crypto.getRandomValues(bytes);
    };
  function word() {
    var bytes = new Uint8Array(4);
    random(bytes);
    return new DataView(bytes.buffer).getUint32(0);
  }
  /* Randomised response: the truth with chance e^epsilon / (e^epsilon + choices - 1), else one of the others. */
  function byChance(truth, choices, epsilon) {
    var weight = Math.exp(epsilon),
      isTrue = word() < Math.floor((WORD * weight) / (weight + choices - 1)),
      other = Math.floor((word() / WORD) * (choices - 1));
    return isTrue ? truth : other < truth ? other : other + 1;
  }
  function id() {
    var bytes = new Uint8Array(16),
      text = '';
    random(bytes);
    for (var n = 0; n < 16; n++) text += (bytes[n] + 256).toString(16).slice(1);
    return text;
  }
  /* As the gateway has it: rings of 0.1 degree, cells nowhere narrower than a ring is high. */
  function middle(latitude, longitude) {
    var ring = Math.min(Math.round(180 / GRID) - 1, Math.floor((latitude + 90) / GRID)),
      south = ring * GRID - 90,
      edge = Math.min(90, Math.max(Math.abs(south), Math.abs(south + GRID))),
      cells = Math.max(1, Math.floor((360 * Math.cos((edge * Math.PI) / 180)) / GRID)),
      turn = (((longitude + 180) % 360) + 360) % 360,
      cell = Math.min(cells - 1, Math.floor((turn * cells) / 360));
    return { latitude: (ring + 0.5) * GRID - 90, longitude: ((cell + 0.5) * 360) / cells - 180 };
  }
  async function read(name) {
    try {
      return JSON.parse((await o.storage.get('mr_' + name)) || 'null');
    } catch (_) {
      return null;
    }
  }
  function write(name, value) {
    return o.storage.set('mr_' + name, JSON.stringify(value));
  }
  /* One thing after the other: two acts at once would write over each other. */
  function inTurn(work) {
    line = line.then(work, work);
    return line;
  }
  async function send(person, acts, answers) {
    var told = person.told ? {} : { consent: { purposes: person.purposes, state: person.state, at: person.at } };
    if (told.consent && person.receipt) told.consent.receipt = person.receipt;
    var body = Object.assign({ user: person.user, acts: acts }, told);
    if (o.device) body.device = o.device;
    if (answers.length > 0) body.answers = answers;
    var answer = await o.fetch(o.url + '/v1/mobile', {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: 'Bearer ' + o.key },
      body: JSON.stringify(body),
    });
    return answer.status;
  }
  /* What is malformed stays so; what is not taken now may be taken later. */
  function isOver(status) {
    return status < 500 && status !== 429 && status !== 408 && status !== 401 && status !== 403;
  }
  async function flush() {
    for (;;) {
      var person = await read('person'),
        acts = (await read('acts')) || [],
        said = (await read('answers')) || {};
      var untold = Object.values(said).filter(function (one) {
        return !one.told;
      });
      if (!person || (person.told && acts.length === 0 && untold.length === 0)) return true;
      if (person.state === 'withdrawn') acts = untold = [];
      var batch = acts.slice(0, BATCH),
        status;
      untold = untold.slice(0, BATCH);
      try {
        status = await send(person, batch, untold);
      } catch (_) {
        return false;
      }
      if (!isOver(status)) return false;
      if (person.state === 'withdrawn') {
        await o.storage.remove('mr_person');
        await o.storage.remove('mr_acts');
        return true;
      }
      await write('person', Object.assign(person, { told: 1 }));
      await write('acts', acts.slice(batch.length));
      if (untold.length === 0) continue;
      untold.forEach(function (one) {
        one.told = 1;
      });
      await write('answers', said);
    }
  }
  return {
    consent: function (purposes, more) {
      return inTurn(async function () {
        var before = await read('person');
        var person = { user: before ? before.user : 'mb-' + id(), purposes: purposes, state: 'given', at: now() };
        if (more && more.receipt) person.receipt = more.receipt;
        await write('person', person);
      });
    },
    withdraw: function () {
      return inTurn(async function () {
        var person = await read('person');
        place = motion = undefined;
        await o.storage.remove('mr_acts');
        if (person) await write('person', Object.assign(person, { state: 'withdrawn', at: now(), told: 0 }));
      });
    },
    at: function (latitude, longitude) {
      place = middle(latitude, longitude);
    },
    moving: function (window) {
      motion = window;
    },
    track: function (type, fields) {
      var act = Object.assign({ id: id(), type: type, occurredAt: now() }, fields);
      var context = { offsetMinutes: -new Date(act.occurredAt).getTimezoneOffset() };
      if (place) context.place = place;
      if (motion) context.motion = motion;
      motion = undefined;
      return inTurn(async function () {
        var person = await read('person'),
          acts = (await read('acts')) || [];
        if (!person || person.state !== 'given') return;
        acts.push(Object.assign(act, { context: context }));
        await write('acts', acts.slice(-ACTS_MAX));
      });
    },
    answer: function (question, truth, how) {
      return inTurn(async function () {
        var person = await read('person'),
          said = (await read('answers')) || {};
        /* Once drawn it stays: drawn again and again, the truth would show. */
        if (!person || person.state !== 'given' || said[question]) return;
        said[question] = { question: question, choice: byChance(truth, how.choices, how.epsilon) };
        Object.assign(said[question], { choices: how.choices, epsilon: how.epsilon, at: now() });
        await write('answers', said);
      });
    },
    flush: function () {
      return inTurn(flush);
    },
  };
}
if (typeof module !== 'undefined') module.exports = millraceMobile;
