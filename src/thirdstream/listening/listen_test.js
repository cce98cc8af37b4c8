// A listening test: random order, players that change at the same moment, answers that are kept.
(() => {
  const data = JSON.parse(document.getElementById("lt-data").textContent);
  const rates = data.mode === "rating";
  const letters = [..."ABCDEFGHIJKLMNOPQRSTUVWXYZ"];
  const given = new URLSearchParams(location.search).get("listener"); // a number sets the order
  const place = `thirdstream-listening-test-${data.test}${given === null ? "" : `-${given}`}`;
  const by = (selector, inside = document) => inside.querySelector(selector);

  // --- order: the same for the same seed -------------------------------------------------------

  const numbers = (seed) => () => { // mulberry32 (Tommy Ettinger, public domain): 0 up to 1
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), seed | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
  const shuffled = (list, random) => { // Fisher and Yates
    const found = [...list];
    for (let last = found.length - 1; last > 0; last--) {
      const other = Math.floor(random() * (last + 1));
      [found[last], found[other]] = [found[other], found[last]];
    }
    return found;
  };
  const ratings = (random) => { // each system equally often, give or take one
    const n = data.items[0].drawn.length;
    const size = data.per_screen ? Math.min(data.per_screen, n) : n;
    const systems = shuffled([...Array(n).keys()], random);
    return shuffled(data.items, random).map((item, number) => {
      const drawn = [...Array(size).keys()].map((k) => item.drawn[systems[(number * size + k) % n]]);
      return { item: item.code, order: shuffled([...item.always, ...drawn], random) };
    });
  };
  const comparisons = (random) => { // of each recording every system once, and one pair as a check
    const screens = data.items.flatMap((item) => {
      const systems = shuffled(item.drawn, random);
      return systems.slice(0, systems.length >> 1).map((code, k) => (
        { item: item.code, order: [code, systems[systems.length - 1 - k]] }));
    });
    const [item] = shuffled(data.items, random);
    screens.push({ item: item.code, order: shuffled(item.always, random) });
    return shuffled(screens, random);
  };

  // --- what is kept ----------------------------------------------------------------------------

  const begun = () => {
    const drawn = crypto.getRandomValues(new Uint32Array(3));
    const wanted = given === null ? NaN : Number(given);
    const seed = Number.isSafeInteger(wanted) && wanted >= 0 ? wanted % 4294967296 : drawn[0];
    const listener = [...drawn].map((one) => one.toString(16).padStart(8, "0")).join("").slice(0, 16);
    const screens = (rates ? ratings : comparisons)(numbers(seed));
    screens.forEach((one) => { one.answers = {}; one.played = []; one.seconds = 0; });
    return { test: data.test, listener, seed, playback: "", stage: "intro", at: 0, screens };
  };
  const kept = () => {
    try {
      const found = JSON.parse(localStorage.getItem(place));
      if (found?.test === data.test && Array.isArray(found.screens)) return found;
    } catch { /* nothing that could be read */ }
    return begun();
  };
  const keep = () => {
    try {
      localStorage.setItem(place, JSON.stringify(state));
    } catch {
      by("#lt-storage").hidden = false;
    }
  };
  let state = kept();

  const answered = (screen) => screen.order.every((code) => (
    rates ? data.questions.every((one) => one.name in (screen.answers[code] ?? {})) : true))
    && (rates || data.questions.every((one) => one.name in screen.answers));
  const answers = () => ({
    kind: data.kind, version: data.version, test: state.test, listener: state.listener,
    seed: state.seed, playback: state.playback, n_screens: state.screens.length,
    screens: state.screens.filter(answered).map((one) => ({
      item: one.item, order: one.order, seconds: Math.round(one.seconds * 10) / 10,
      [rates ? "ratings" : "choices"]: one.answers,
    })),
  });
  const text = () => JSON.stringify(answers(), null, 1);
  const save = () => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text()], { type: "application/json" }));
    link.download = `answers-${state.listener}.json`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60000);
  };

  // --- sounds ----------------------------------------------------------------------------------

  let sounds = []; // of what is shown: {label, button, audio}
  let current = null;
  const source = async (code) => {
    const address = `audio/${code}.mp3`;
    if (location.protocol === "file:") return address; // nothing can be fetched, all can be sought
    const answer = await fetch(address); // not every server lets a player jump
    if (!answer.ok) throw new Error(answer.statusText);
    return URL.createObjectURL(await answer.blob());
  };
  const missing = () => alertIn("A sound cannot be played: the folder audio must lie beside this page.");
  const sound = (code, label, button, played) => {
    const audio = new Audio();
    const made = { label, button, audio, played };
    audio.preload = "auto";
    audio.loop = true;
    audio.addEventListener("error", missing);
    source(code).then((address) => { audio.src = address; }).catch(missing);
    for (const kind of ["play", "pause", "timeupdate"]) audio.addEventListener(kind, show);
    button.addEventListener("click", () => toggle(made));
    sounds.push(made);
    return made;
  };
  const silence = () => {
    sounds.forEach((one) => {
      one.audio.pause();
      if (one.audio.src.startsWith("blob:")) URL.revokeObjectURL(one.audio.src);
    });
    sounds = [];
    current = null;
  };
  const toggle = (one) => {
    if (current === one && !one.audio.paused) {
      one.audio.pause();
      return;
    }
    sounds.forEach((other) => other !== one && other.audio.pause());
    if (current && current !== one) one.audio.currentTime = current.audio.currentTime;
    current = one;
    one.audio.play().then(one.played).catch(() => {}); // another was chosen, or `error` tells
  };
  const show = () => {
    for (const one of sounds) one.button.setAttribute("aria-pressed", String(!one.audio.paused));
    const status = by(".lt-status", shown());
    if (!status) return;
    status.textContent = !current ? "Nothing plays"
      : `${current.label}: ${current.audio.paused ? "paused at" : ""} ${current.audio.currentTime.toFixed(1)} s`;
  };

  // --- screens ---------------------------------------------------------------------------------

  const sections = { intro: "#lt-intro", training: "#lt-training", screen: "#lt-screen", end: "#lt-end" };
  const shown = () => by(sections[state.stage]);
  const alertIn = (said) => { const line = by(".lt-alert", shown()); if (line) line.textContent = said; };
  const make = (tag, attributes = {}, ...inside) => {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    element.append(...inside);
    return element;
  };

  const slider = (question, label, value, changed) => {
    const input = make("input", { type: "range", min: 0, max: 100, step: 1, "aria-label": `${label}: ${question.text}` });
    const output = make("output");
    const whole = make("label", { class: "lt-rating lt-unset" },
      make("span", {}, question.text), make("div", {}, input,
        make("small", {}, make("span", {}, question.low), make("span", {}, question.high))), output);
    const set = () => {
      whole.classList.remove("lt-unset");
      output.textContent = input.value;
      input.removeAttribute("aria-valuetext");
    };
    input.value = value ?? 50;
    if (value === undefined) { output.textContent = "–"; input.setAttribute("aria-valuetext", "not set"); } else set();
    for (const kind of ["input", "click"]) { // a click on the middle changes nothing, and counts
      input.addEventListener(kind, () => { set(); changed(Number(input.value)); });
    }
    return whole;
  };
  const choice = (question, value, changed) => {
    const whole = make("fieldset", { class: "lt-choice" }, make("legend", {}, question.text));
    for (const [name, label] of [["a", "A"], ["none", "no difference"], ["b", "B"]]) {
      const input = make("input", { type: "radio", name: question.name, value: name });
      input.checked = value === name;
      input.addEventListener("change", () => changed(name));
      whole.append(make("label", {}, input, label));
    }
    return whole;
  };

  let since = 0; // when the screen came up
  const draw = () => {
    const screen = state.screens[state.at], item = data.items.find((one) => one.code === screen.item);
    const asked = data.questions.map((one) => ({ ...one, text: one.text.replace("{to}", item.to) }));
    const original = make("button", { type: "button", class: "lt-play", "aria-label": "Play the original" }, "0: original");
    const section = shown();
    section.replaceChildren(
      make("h1", {}, `Screen ${state.at + 1} of ${state.screens.length}`),
      make("p", {}, `The original is ${item.style}. Each version should be the same piece, as ${item.to}.`),
      make("div", { class: "lt-bar" }, original, make("span", { class: "lt-status" }, "Nothing plays"),
        make("progress", { max: state.screens.length, value: state.at, "aria-label": "Screens done" })));
    sound(screen.item, "Original", original, () => {});
    const rows = screen.order.map((code, number) => {
      const label = letters[number], button = make("button", { type: "button", class: "lt-play", "aria-label": `Play ${label}` }, label);
      const played = () => {
        button.classList.add("lt-played");
        if (!screen.played.includes(code)) { screen.played.push(code); keep(); }
      };
      if (screen.played.includes(code)) button.classList.add("lt-played");
      sound(code, label, button, played);
      const questions = make("div", { class: "lt-questions" });
      if (rates) {
        questions.append(...asked.map((one) => slider(one, label, screen.answers[code]?.[one.name], (value) => {
          (screen.answers[code] ??= {})[one.name] = value;
          keep();
        })));
      }
      return make("div", { class: "lt-row", role: "group", "aria-label": `Version ${label}` }, button, questions);
    });
    section.append(...rows);
    if (!rates) {
      section.append(...asked.map((one) => choice(one, screen.answers[one.name], (value) => {
        screen.answers[one.name] = value;
        keep();
      })));
    }
    const next = make("button", { type: "button", class: "lt-next" }, state.at + 1 < state.screens.length ? "Next" : "Finish");
    const early = make("button", { type: "button", class: "lt-quiet" }, "Save the answers until here");
    next.addEventListener("click", forward);
    early.addEventListener("click", save);
    section.append(make("p", { class: "lt-alert", role: "alert" }), make("div", { class: "lt-foot" }, next, early));
    since = performance.now();
  };

  const faults = () => {
    if (state.stage === "intro") {
      state.playback = by("#lt-playback").value;
      return state.playback ? "" : "Please choose what you listen with.";
    }
    if (state.stage !== "screen") return "";
    const screen = state.screens[state.at];
    const unplayed = screen.order.map((code, k) => screen.played.includes(code) ? "" : letters[k]).filter(Boolean);
    if (unplayed.length) return `Please play ${unplayed.join(", ")} first.`;
    if (answered(screen)) return "";
    by(".lt-unset input, .lt-choice:not(:has(:checked)) input", shown())?.focus();
    return rates ? `${shown().querySelectorAll(".lt-unset").length} sliders are not set yet.` : "Please answer all questions.";
  };
  const forward = () => {
    const fault = faults();
    alertIn(fault);
    if (fault) return;
    if (state.stage === "screen") {
      state.screens[state.at].seconds += (performance.now() - since) / 1000;
      state.at += 1;
    }
    state.stage = state.stage === "intro" ? "training" : state.at < state.screens.length ? "screen" : "end";
    keep();
    enter();
  };
  const enter = () => {
    silence();
    for (const one of Object.values(sections)) by(one).hidden = true;
    shown().hidden = false;
    if (state.stage === "screen") draw();
    if (state.stage === "training") {
      for (const button of shown().querySelectorAll("[data-sound]")) sound(button.dataset.sound, "", button, () => {});
      if (rates) by(".lt-try").replaceChildren(slider({ text: "A value from 0 to 100", low: "0", high: "100" }, "To try", undefined, () => {}));
    }
    if (state.stage === "end") by("#lt-text").value = text();
    scrollTo(0, 0);
    const heading = by("h1", shown());
    heading.tabIndex = -1;
    heading.focus({ preventScroll: true });
  };

  document.querySelectorAll("#lt-intro .lt-next, #lt-training .lt-next").forEach((one) => one.addEventListener("click", forward));
  by(".lt-save").addEventListener("click", save);
  by(".lt-again").addEventListener("click", () => {
    if (!confirm("Are the answers saved? They are removed from this browser now.")) return;
    state = begun();
    keep();
    enter();
  });
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.target.matches?.("select, textarea")) return;
    const key = event.key.toUpperCase();
    const number = key === "0" ? 0 : key.length === 1 ? letters.indexOf(key) + 1 : 0;
    if (key === " " && !event.target.matches?.("button, summary, [type=radio]")) {
      event.preventDefault(); // it would scroll
      if (sounds.length) toggle(current ?? sounds[0]);
    } else if ((key === "0" || number > 0) && sounds[number]) {
      toggle(sounds[number]);
    }
  });
  keep();
  enter();
})();
