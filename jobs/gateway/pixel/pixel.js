// @ts-nocheck
// oxlint-disable -- written small for web pages
/* What web pages carry. Comments and indentation are cut before it is served; a test holds the rest under 3 KB.
 *
 * millrace('consent', ['recommendation'], { receipt })   the person agreed: from now on events are kept and sent
 * millrace('withdraw')                                   the person withdrew: told once, then nothing is kept
 * millrace('track', 'view', { item: 'v1', value: 80 })   something happened; before consent it is forgotten at once
 * millrace('answer', 'commutes', 1, 3, 2)                the answer to a declared question of 3 choices is number 1; sent is what chance
 *                                                        of epsilon 2 makes of it, once drawn and kept: asked again it is the same
 *
 * Nothing is stored on the device, and nothing sent, before consent or under Global Privacy Control. */
(function (w, d, n) {
  var s = d.currentScript,
    u = new URL(s.src),
    q = '?k=' + u.searchParams.get('k');
  var o = u.origin + u.pathname.replace(/\.js$/, ''),
    L,
    M = 100,
    F = 2e3,
    R = 6e4;
  /* Private windows may refuse storage: then a page's own memory serves. */
  try {
    L = w.localStorage;
    L.getItem('_');
  } catch {
    L = null;
  }
  var mem = {};
  function get(k) {
    try {
      return JSON.parse(L ? L.getItem('mr_' + k) : mem[k] || null);
    } catch {
      return null;
    }
  }
  function put(k, v) {
    v = JSON.stringify(v);
    mem[k] = v;
    try {
      if (L) L.setItem('mr_' + k, v);
    } catch {}
  }
  function cut(k) {
    delete mem[k];
    try {
      if (L) L.removeItem('mr_' + k);
    } catch {}
  }
  function rnd() {
    var b = w.crypto.getRandomValues(new Uint8Array(16)),
      t = '';
    for (var i = 0; i < 16; i++) t += (b[i] + 256).toString(16).slice(1);
    return t;
  }
  function gpc() {
    return n.globalPrivacyControl === true;
  }
  var timer,
    wait = F,
    busy = 0;
  function later(ms) {
    if (!timer)
      timer = setTimeout(function () {
        timer = 0;
        flush();
      }, ms);
  }
  function body(c, e) {
    return JSON.stringify({
      user: c.user,
      consent: c.told ? undefined : { purposes: c.purposes, state: c.state, at: c.at, receipt: c.receipt },
      events: e,
    });
  }
  /* An event goes once its batch was answered; ids make a batch that is sent again the same one. */
  function done(c, e) {
    var gone = {},
      now = get('c');
    e.forEach(function (x) {
      gone[x.id] = 1;
    });
    put(
      'q',
      (get('q') || []).filter(function (x) {
        return !gone[x.id];
      }),
    );
    wait = F;
    if (now && now.at === c.at) {
      if (c.state === 'withdrawn') {
        cut('c');
        cut('q');
      } else {
        now.told = 1;
        put('c', now);
      }
    }
    if ((get('q') || []).length) later(F);
  }
  function flush(leaving) {
    var c = get('c'),
      e = get('q') || [];
    if (!c || gpc() || (c.told && !e.length)) return;
    if (c.state === 'withdrawn') e = [];
    e = e.slice(0, M);
    var b = body(c, e);
    if (leaving && n.sendBeacon) {
      n.sendBeacon(o + q, b);
      return;
    }
    if (busy) {
      later(F);
      return;
    }
    if (!w.fetch) {
      image(c, e);
      return;
    }
    busy = 1;
    w.fetch(o + q, { method: 'POST', body: b, keepalive: b.length < 6e4, credentials: 'omit' }).then(
      function (r) {
        busy = 0;
        /* What is malformed stays so; what is not taken now may be taken later. */
        if (r.status < 500 && r.status !== 429 && r.status !== 408) done(c, e);
        else again();
      },
      function () {
        busy = 0;
        again();
      },
    );
  }
  function again() {
    later(wait);
    wait = Math.min(wait * 2, R);
  }
  function image(c, e) {
    e.forEach(function (x) {
      new Image().src = o + '.gif' + q + '&u=' + c.user + '&e=' + encodeURIComponent(JSON.stringify(x));
    });
    done(c, e);
  }
  var api = {
    consent: function (p, m) {
      if (gpc()) return;
      var c = get('c');
      put('c', {
        user: c ? c.user : 'px-' + rnd(),
        purposes: p,
        state: 'given',
        at: Date.now(),
        receipt: m && m.receipt,
      });
      later(0);
    },
    withdraw: function () {
      var c = get('c');
      cut('q');
      if (!c) return;
      c.state = 'withdrawn';
      c.at = Date.now();
      c.told = 0;
      put('c', c);
      later(0);
    },
    track: function (t, f) {
      var c = get('c'),
        e = get('q') || [],
        x = { id: rnd(), type: t, occurredAt: Date.now() };
      if (!c || c.state !== 'given' || gpc()) return;
      for (var k in f) x[k] = f[k];
      e.push(x);
      put('q', e.slice(-M));
      later(F);
    },
    answer: function (q, v, k, e) {
      var c = get('c'),
        m = get('a') || {},
        r,
        p = Math.exp(e),
        W = 4294967296;
      if (!c || c.state !== 'given' || gpc() || m[q] >= 0) return;
      r = w.crypto.getRandomValues(new Uint32Array(2));
      p = r[0] < ((W * p) / (p + k - 1)) >>> 0;
      r = ((r[1] / W) * (k - 1)) | 0;
      m[q] = p ? v : r < v ? r : r + 1;
      put('a', m);
      api.track('answer', { question: q, choice: m[q], choices: k, epsilon: e });
    },
  };
  function call(a) {
    var f = api[a[0]];
    if (f) f.apply(null, [].slice.call(a, 1));
  }
  var early = (w.millrace && w.millrace.q) || [];
  w.millrace = function () {
    call(arguments);
  };
  early.forEach(call);
  d.addEventListener('visibilitychange', function () {
    if (d.visibilityState === 'hidden') flush(1);
  });
  w.addEventListener('online', function () {
    later(0);
  });
  if (gpc()) {
    cut('c');
    cut('q');
    cut('a');
  }
  later(0);
})(window, document, navigator);
