// Transcription of one clip after the other, by keyboard. Only the server knows what is decided.

const BODY = document.body.dataset;
const REASONS = JSON.parse(BODY.reasons);
const SPEEDS = [0.5, 0.65, 0.8, 1, 1.25, 1.5];
const JUMP_SECONDS = 2;
const PREVIEW_MILLISECONDS = 250;

/** Clip on the screen, and what was suggested for it; a suggestion that is late is not put in. */
let clip = null, suggestion = null, overview = null, isTouched = false, isBusy = false;
const audio = new Audio();
audio.preload = "auto";
// A slower voice keeps its pitch, or vowels would be hard to tell apart.
audio.preservesPitch = true;
let speed = Number(localStorage.getItem("annotate-speed")) || 1;

const content = document.getElementById("content");
const heading = el("header.top", {}, el("div", {},
  el("h1", {}, quoted("span", BODY.place)),
  el("p.dim", {}, BODY.second ? "second transcript" : "transcripts", " by ", quoted("b", BODY.by), " in ", quoted("code", BODY.folder))),
  themeButton());
const advance = el(".advance", {role: "status", "aria-label": "progress"});
const alerts = el("div", {role: "alert"});
const stage = el("div");

const keyed = (label, key, attributes) => el("button.control", {type: "button", ...attributes},
  el("span", {}, label), key ? el("kbd", {"aria-hidden": "true"}, key) : null);

// The work on one clip. Elements are made once, so that the keyboard's place is never lost.
const title = el(".head");
const bars = el(".wave");
const slider = el("input", {type: "range", min: "0", max: "1", step: "any", value: "0", "aria-label": "place in the clip",
  oninput: () => { audio.currentTime = slider.value * (audio.duration || 0); }});
const play = keyed("Play", "Esc", {onclick: () => togglePlay()});
const time = el("span.time");
const pace = el("select", {"aria-label": "speed", onchange: () => setSpeed(Number(pace.value))},
  SPEEDS.map((rate) => el("option", {value: rate}, `${rate} ×`)));
const box = el("textarea", {id: "said", rows: "2", autocomplete: "off", "aria-describedby": "hint compared"});
const hint = el("p.hint", {id: "hint", role: "status"});
const compared = el("p.compared", {id: "compared"});
const accept = keyed("Accept", "Enter", {class: "control main", onclick: () => decide("accepted")});
const undo = keyed("Undo", "Alt Z", {onclick: () => withdraw()});
const task = el("section.task", {}, title, bars,
  el(".controls", {}, play,
    keyed("− 2 s", "F1", {"aria-label": "back 2 seconds", onclick: () => jump(-JUMP_SECONDS)}),
    keyed("+ 2 s", "F2", {"aria-label": "forward 2 seconds", onclick: () => jump(JUMP_SECONDS)}),
    el("label.picker", {}, el("span", {}, "speed"), pace), time),
  el(".said", {}, el("label", {for: "said"}, "What is said"), box, hint), compared,
  el(".decide", {}, accept,
    keyed("Later", "Alt S", {onclick: () => decide("later")}),
    keyed("Unusable …", "Alt U", {onclick: () => reasons.showModal()}),
    keyed("Back", "Alt B", {class: "control spread", onclick: () => goBack()}), undo));

const reasons = el("dialog", {"aria-label": "why is this clip unusable?"}, el("h2", {}, "Why is it unusable?"),
  REASONS.map((reason, place) => keyed(reason, String(place + 1), {onclick: () => rejectFor(reason)})),
  el("p.dim", {}, "Esc: back to the text"));
const help = el("details", {}, el("summary", {}, "Keys"), el("dl.keys", {},
  [["Enter", "accept the text"], ["Esc, Ctrl Space", "play or pause; also Space while the text is empty"],
    ["F1, F2", "two seconds back or forward"], ["F3, F4", "slower or faster"],
    ["Alt S", "later: comes again at the end"], ["Alt U", "unusable, with a reason"],
    ["Alt B", "the clip before, to read or change it"], ["Alt Z", "withdraw the last decision"]]
    .map(([keys, meaning]) => [el("dt", {}, keys.split(", ").map((key) => [el("kbd", {}, key), " "])), el("dd", {}, meaning)])));

content.append(heading, advance, alerts, stage, reasons);

/** Ask the server; errors are shown, and null is returned. */
async function ask(path, body) {
  const options = body === undefined ? {} : {
    method: "POST", body: JSON.stringify(body), headers: {"content-type": "application/json"}};
  let answer;
  try {
    answer = await fetch(path, options);
  } catch {
    warn("The server does not answer. Start the command again; your text stays here.");
    return null;
  }
  if (answer.ok) {
    alerts.replaceChildren();
    return answer.json();
  }
  const message = await answer.text();
  if (answer.status === 409) warnOfOther(message, body);
  else warn(message);
  return null;
}

function warn(message, ...actions) {
  alerts.replaceChildren(el(".alert", {}, el("span", {dir: "auto"}, message), actions));
}

/** The clip was decided elsewhere: nothing is overwritten, unless the person says so. */
function warnOfOther(message, {id}) {
  warn(capitalized(message),
    keyed("Go on with the next clip", "", {onclick: () => next()}),
    keyed("Look at it again, keep my text", "", {onclick: async () => {
      const text = box.value;
      const answer = await ask(`/api/clip?id=${encodeURIComponent(id)}`);
      if (answer) { show(answer); box.value = text; preview(); }
    }}));
}

const next = async () => showAnswer(await ask("/api/next"));

function showAnswer(answer) {
  if (answer) show(answer);
}

function show(answer) {
  ({clip, overview} = answer);
  suggestion = null;
  isTouched = false;
  showAdvance();
  audio.pause();
  if (!clip) {
    showEnd();
    return;
  }
  if (!task.isConnected) stage.replaceChildren(task, help);
  title.replaceChildren(quoted("span.dim", clip.source), el("span", {},
    clip.rounds.length ? el("span.badge.waiting", {title: "their champion is not judged on this set"},
      `round${clip.rounds.length > 1 ? "s" : ""} ${clip.rounds.join(", ")} trained on it`) : null,
    clip.outcome ? el("span.badge", {}, clip.reason || clip.outcome) : null));
  bars.replaceChildren(...clip.peaks.map((peak) => el("i", {style: {height: `${Math.max(3, peak)}%`}, "aria-hidden": "true"})), slider);
  audio.src = clip.audio;
  audio.playbackRate = speed;
  // Refused until the person has pressed a key or a button, and then not needed.
  audio.play().catch(() => {});
  box.value = clip.text;
  box.dir = clip.direction;
  box.lang = clip.lang ?? "";
  hint.textContent = "";
  box.focus();
  box.setSelectionRange(box.value.length, box.value.length);
  preview();
  if (BODY.suggester && !clip.outcome) suggest(clip.id);
}

function showAdvance() {
  const {done, wanted, seconds, unusable, later, disagreements} = overview;
  advance.replaceChildren(el("progress", {max: Math.max(wanted, 1), value: done, "aria-label": "clips done"}),
    el("p", {}, el("strong", {}, `${done} of ${plural(wanted, "clip")}`), el("span", {}, duration(seconds)),
      unusable ? el("span.dim", {}, `${unusable} unusable`) : null,
      later ? el("span.dim", {}, `${later} for later`) : null,
      disagreements ? el("button.link", {type: "button", onclick: () => showAgreement()},
        `${plural(disagreements, "difference")} to settle`) : null));
  undo.disabled = !overview.can_undo;
}

async function suggest(id) {
  hint.textContent = `${capitalized(BODY.suggester)} is transcribing …`;
  const answer = await ask(`/api/suggestion?id=${encodeURIComponent(id)}`);
  if (!clip || clip.id !== id) return;
  hint.textContent = "";
  if (!answer) return;
  suggestion = answer.text;
  // What a person has typed is never replaced.
  if (isTouched || box.value) return;
  box.value = suggestion;
  box.setSelectionRange(box.value.length, box.value.length);
  hint.textContent = !suggestion ? `${capitalized(BODY.suggester)} transcribed nothing.` : `Suggested by ${BODY.suggester}: listen to all of it before you accept.`;
  preview();
}

async function decide(outcome, reason = "") {
  // A key that is held down must not decide the clip that comes next.
  if (!clip || isBusy) return;
  isBusy = true;
  const {id, revision} = clip;
  const answer = await ask("/api/decide", {id, revision, outcome, reason, suggestion,
    text: outcome === "accepted" ? box.value : ""});
  isBusy = false;
  showAnswer(answer);
}

function rejectFor(reason) {
  reasons.close();
  decide("unusable", reason);
}

async function withdraw() {
  if (overview?.can_undo) showAnswer(await ask("/api/undo", {}));
}

async function goBack() {
  const before = clip ? `?before=${encodeURIComponent(clip.id)}` : "";
  const answer = await ask(`/api/previous${before}`);
  if (answer?.clip) show(answer);
  else if (answer) hint.textContent = "This is the first clip.";
}

let previewTimer = null;
function preview() {
  clearTimeout(previewTimer);
  previewTimer = setTimeout(async () => {
    const text = box.value.trim(), id = clip?.id;
    if (!text) {
      compared.replaceChildren();
      return;
    }
    const query = new URLSearchParams({text, lang: clip?.lang ?? ""});
    const answer = await fetch(`/api/preview?${query}`).catch(() => null);
    // An answer may come after the next clip.
    if (!answer?.ok || clip?.id !== id) return;
    const {text: form} = await answer.json();
    compared.replaceChildren("compared as: ", form ? el("bdi", {}, form) : "nothing, since no letter is left");
  }, PREVIEW_MILLISECONDS);
}

// Playing
function togglePlay() {
  if (!audio.paused) audio.pause();
  else {
    if (audio.ended) audio.currentTime = 0;
    audio.play().catch(() => warn("This clip cannot be played; mark it as unusable, or start the command again."));
  }
}

function jump(seconds) {
  audio.currentTime = Math.min(Math.max(0, audio.currentTime + seconds), audio.duration || 0);
}

function setSpeed(rate) {
  speed = rate;
  audio.playbackRate = rate;
  pace.value = String(rate);
  localStorage.setItem("annotate-speed", rate);
}

const changeSpeed = (steps) => setSpeed(
  SPEEDS[Math.min(Math.max(0, SPEEDS.indexOf(speed) + steps), SPEEDS.length - 1)]);

function showPlace() {
  const part = audio.duration ? audio.currentTime / audio.duration : 0;
  slider.value = part;
  [...bars.querySelectorAll("i")].forEach((bar, place, {length: count}) =>
    bar.classList.toggle("played", place < part * count));
  time.textContent = `${audio.currentTime.toFixed(1)} / ${(clip?.duration ?? 0).toFixed(1)} s`;
  if (!audio.paused) requestAnimationFrame(showPlace);
}
for (const event of ["play", "pause", "ended", "seeked", "loadedmetadata"]) {
  audio.addEventListener(event, () => {
    play.firstChild.textContent = audio.paused ? "Play" : "Pause";
    showPlace();
  });
}

// The end, and two people's differences
async function showEnd() {
  const {done, seconds, unusable, disagreements} = overview;
  stage.replaceChildren(el("section.task", {}, el("h2", {}, "All done"),
    el("p", {}, el("span.tally", {}, String(done)), ` clips, ${duration(seconds)}`),
    unusable ? el("p.dim", {}, `${unusable} more were unusable.`) : null,
    el("p", {}, "The set is in ", quoted("code", BODY.folder), ". Stop the command with Ctrl+C; with a larger ",
      el("code", {}, "--count"), " it goes on."),
    el(".decide", {}, keyed("Back to the last clip", "Alt B", {onclick: () => goBack()}),
      disagreements ? keyed("Settle differences", "", {class: "control main", onclick: () => showAgreement()}) : null)));
  stage.querySelector("button").focus();
  if (BODY.second) showAgreement();
}

async function showAgreement() {
  clip = null;
  audio.pause();
  const agreement = await ask("/api/agreement");
  if (!agreement) return;
  const {clips, wer, cer, disagreements} = agreement;
  const list = el("div", {}, disagreements.filter((line) => !line.settled).map(settleCard));
  stage.replaceChildren(el("section.task", {}, el("h2", {}, "Two people"),
    el("p", {}, `${plural(clips, "clip")} by both: WER ${percent(wer)} %, CER ${percent(cer)} % of the second text against the first.`),
    el("p.dim", {}, "No recognizer can be shown to be better than people agree."),
    list.children.length ? el("p", {}, "Listen, and settle what differs:") : el("p", {}, "Nothing is left to settle."),
    list, keyed("Go on", "", {onclick: () => next()})));
}

function settleCard({id, first, second, first_by: firstBy, second_by: secondBy, chunks}) {
  const text = el("textarea", {rows: "1", dir: "auto", "aria-label": "agreed text"});
  text.value = first.startsWith("(") ? second : first;
  const card = el(".settle", {}, el("audio", {controls: true, preload: "none", src: `/audio/${encodeURIComponent(id)}.wav`, "aria-label": "play"}),
    diff(chunks),
    el(".decide", {},
      keyed(`Take ${firstBy}’s`, "", {onclick: () => { text.value = first; }}),
      keyed(`Take ${secondBy}’s`, "", {onclick: () => { text.value = second; }})),
    el(".said", {}, text),
    keyed("Settle", "", {class: "control main", onclick: async () => {
      const view = await ask(`/api/clip?settle&id=${encodeURIComponent(id)}`);
      if (!view) return;
      const answer = await ask("/api/decide", {id, revision: view.clip.revision, outcome: "settled", text: text.value});
      if (!answer) return;
      overview = answer.overview;
      showAdvance();
      card.replaceWith(el("p.dim", {}, "settled: ", quoted("b", text.value)));
    }}));
  return card;
}

// Keys
const ALT_KEYS = {KeyS: () => decide("later"), KeyU: () => reasons.showModal(), KeyB: goBack, KeyZ: withdraw};
const FUNCTION_KEYS = {F1: () => jump(-JUMP_SECONDS), F2: () => jump(JUMP_SECONDS),
  F3: () => changeSpeed(-1), F4: () => changeSpeed(1)};

document.addEventListener("keydown", (event) => {
  // Enter and Space choose among candidates while Chinese, Japanese or Korean is being composed.
  if (event.isComposing || event.keyCode === 229) return;
  const action = findAction(event);
  if (!action) return;
  event.preventDefault();
  action();
});

function findAction(event) {
  const {key, code, altKey, ctrlKey, metaKey, shiftKey} = event;
  if (reasons.open) {
    const reason = REASONS[Number(key) - 1];
    return reason ? () => rejectFor(reason) : null;
  }
  // AltGr is Ctrl and Alt on some keyboards, and types letters.
  if (altKey && !ctrlKey && !metaKey) return clip || code === "KeyB" || code === "KeyZ" ? ALT_KEYS[code] : null;
  if (!clip || metaKey || altKey) return null;
  if (FUNCTION_KEYS[key]) return FUNCTION_KEYS[key];
  if (key === "Escape" || (ctrlKey && code === "Space")) return togglePlay;
  if (event.target !== box) return null;
  if (key === "Enter" && !shiftKey && !ctrlKey) return event.repeat ? () => {} : () => decide("accepted");
  // No transcript begins with a space.
  if (key === " " && !box.value) return togglePlay;
  return null;
}

box.addEventListener("input", () => {
  isTouched = true;
  preview();
});
setSpeed(SPEEDS.includes(speed) ? speed : 1);
next().then(() => { document.body.dataset.ready = "yes"; });
