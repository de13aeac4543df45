/* What the pages do by themselves; each part works on marked elements and knows no page.

   live      server-sent events become DOM events `live:<topic>` on <body>; htmx fetches on them
   clock     [data-since] counts up, by the server's clock
   keys      [data-key] is clicked or focused by its key; shown in the list behind `?`;
             the arrows go round in [data-rove]
   dialogs   [data-open] opens one, Escape and [data-close] close it;
             [data-print] prints the page
   form      #ticket-form saves itself (htmx); here: the sign beside it, and nothing lost on leaving
   desk      a call that was answered comes to the front by itself, once what is open is saved
   drafts    [data-draft] keeps what was typed for as long as the tab lives

   Nothing here evaluates text, writes style, or keeps a caller's data beyond the tab. */
"use strict";
(() => {
  const body = document.body;
  const one = (selector, root = document) => root.querySelector(selector);
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const fire = (name, detail) => body.dispatchEvent(new CustomEvent(name, { detail }));

  /* ── live ──────────────────────────────────────────────────────────────────────────────── */

  const TOPICS = ["agent", "presence", "wallboard", "person", "desks", "department", "tickets", "recordings", "requests", "log", "state"];
  const light = one("#live");
  let source = null;
  let again = 1000;

  function show(state) {
    if (!light || light.dataset.state === state) return;
    light.dataset.state = state;
    light.textContent = light.dataset[state] || "";
  }

  // Told a hundred times a second, the wall is fetched once a second; and once more after the last
  // word, so that what it then shows is how things stand.
  const PACED = { wallboard: 1000 };
  const told = {};

  function tell(topic, detail) {
    const pace = PACED[topic];
    if (!pace) return fire(`live:${topic}`, detail);
    const here = (told[topic] ??= { at: -pace, due: 0 });
    if (here.due) return;
    here.due = setTimeout(() => {
      Object.assign(here, { at: performance.now(), due: 0 });
      fire(`live:${topic}`, detail);
    }, Math.max(0, here.at + pace - performance.now()));
  }

  function connect() {
    source = new EventSource("/live");
    source.onopen = () => {
      again = 1000;
      show("on");
      fire("live:open"); // whatever was missed is fetched now
    };
    source.onerror = () => {
      show("off");
      if (source.readyState !== EventSource.CLOSED) return; // it tries again by itself
      setTimeout(connect, again);
      again = Math.min(again * 2, 15000);
    };
    for (const topic of TOPICS) {
      source.addEventListener(topic, (event) => tell(topic, JSON.parse(event.data)));
    }
    source.addEventListener("ended", async () => {
      source.close();
      await flush();
      location.reload();
    });
  }
  if (light) connect();
  window.addEventListener("pagehide", () => source && source.close());
  window.addEventListener("pageshow", (event) => event.persisted && light && connect());

  /* ── clock ─────────────────────────────────────────────────────────────────────────────── */

  const ahead = Number(body.dataset.now || Date.now()) - Date.now();
  const two = (number) => String(number).padStart(2, "0");
  function span(ms) {
    const seconds = Math.max(0, Math.floor(ms / 1000));
    const hours = Math.floor(seconds / 3600);
    const minutes = Math.floor(seconds / 60) % 60;
    return hours ? `${hours}:${two(minutes)}:${two(seconds % 60)}` : `${minutes}:${two(seconds % 60)}`;
  }
  setInterval(() => {
    for (const element of all("[data-since]")) {
      element.textContent = span(Date.now() + ahead - Number(element.dataset.since));
    }
  }, 1000);

  /* ── keys ──────────────────────────────────────────────────────────────────────────────── */

  const typing = (element) => element.matches("input:not([type=checkbox],[type=radio],[type=range]), textarea, select");

  function combination(event) {
    const key = event.altKey && /^(Key|Digit)/.test(event.code) ? event.code.slice(-1) : event.key;
    return (event.altKey ? "Alt+" : "") + (event.ctrlKey ? "Ctrl+" : "") + (key.length === 1 ? key.toUpperCase() : key);
  }

  function press(element) {
    const inside = element.dataset.rove && one(element.dataset.rove, element);
    if (inside) inside.focus();
    else if (element.matches("input, textarea, select")) element.focus();
    else element.click();
  }

  // The arrows go from one to the next in [data-rove]: beside by order, above and below by place.
  document.addEventListener("keydown", (event) => {
    const around = event.target.closest?.("[data-rove]");
    if (!around || event.altKey || event.ctrlKey || !event.key.startsWith("Arrow")) return;
    const stops = all(around.dataset.rove, around).filter((stop) => !stop.disabled);
    const box = (stop) => stop.getBoundingClientRect();
    const here = box(event.target);
    const rows = { ArrowUp: (at) => at.bottom <= here.top, ArrowDown: (at) => at.top >= here.bottom }[event.key];
    const beside = stops[stops.indexOf(event.target) + { ArrowLeft: -1, ArrowRight: 1 }[event.key]];
    const far = (stop) => Math.abs(box(stop).top - here.top) * 99 + Math.abs(box(stop).left - here.left);
    const next = rows ? stops.filter((stop) => rows(box(stop))).sort((a, b) => far(a) - far(b))[0] : beside;
    event.preventDefault();
    next?.focus();
  });

  document.addEventListener("keydown", (event) => {
    if (event.isComposing || event.metaKey) return;
    const pressed = combination(event);
    if (pressed === "Ctrl+S" && one("#ticket-form")) {
      event.preventDefault();
      save();
      return;
    }
    if (pressed === "Escape") one("#toast") && (one("#toast").textContent = "");
    if (pressed.startsWith("Ctrl+") || pressed === "Escape") return;
    if (!event.altKey && typing(event.target)) return;
    const scope = one("dialog[open]") || document;
    const target = all("[data-key]", scope).find((element) => element.dataset.key.toUpperCase() === pressed.toUpperCase());
    if (!target || target.disabled) return;
    event.preventDefault();
    press(target);
  });

  function listKeys(list) {
    const rows = all("[data-key]").filter((element) => !element.closest("dialog"));
    list.replaceChildren(...rows.map((element) => {
      const row = document.createElement("li");
      const words = document.createElement("span");
      const key = document.createElement("kbd");
      const named = [one("span", element), one(".en", element)].map((part) => part?.textContent || "");
      words.textContent = element.dataset.keyName || element.getAttribute("aria-label") || named.join(" ");
      key.textContent = element.dataset.key;
      row.append(words, key);
      return row;
    }));
  }

  /* ── dialogs ───────────────────────────────────────────────────────────────────────────── */

  // How many rows were ticked, and the ticket's number where all of them are of one ticket.
  function countChosen(dialog) {
    const chosen = all(`[form="${one("form", dialog)?.id}"]:checked`);
    const numbers = new Set(chosen.map((box) => box.dataset.ticketNo));
    for (const place of all("[data-chosen]", dialog)) place.textContent = chosen.length;
    const field = one("[data-from-chosen]", dialog);
    if (field && numbers.size === 1) field.value = [...numbers][0];
  }

  document.addEventListener("click", (event) => {
    const opener = event.target.closest("[data-open]");
    if (opener) {
      const dialog = document.getElementById(opener.dataset.open);
      for (const list of all("[data-keys]", dialog)) listKeys(list);
      countChosen(dialog);
      for (const place of all("[data-named]", dialog)) place.textContent = opener.dataset.who;
      dialog.dataset.path = opener.dataset.path || "";
      dialog.dataset.opener = opener.id;
      if (!dialog.open) dialog.showModal();
      return;
    }
    if (event.target.closest("[data-print]")) print();
    const closer = event.target.closest("[data-close]");
    if (closer) closer.closest("dialog").close();
  });

  // One dialog asks for many: where its answer goes, whoever opened it says.
  body.addEventListener("htmx:configRequest", (event) => {
    const path = event.detail.elt.closest("dialog")?.dataset.path;
    if (path) event.detail.path = path;
  });
  // Its opener may have been brought up to date meanwhile: the focus goes to what stands there now.
  document.addEventListener("close", (event) => {
    document.getElementById(event.target.dataset?.opener || "")?.focus();
  }, true);

  // What was chosen there cannot be chosen here as well.
  document.addEventListener("change", (event) => {
    for (const box of all(`[data-not-as="${CSS.escape(event.target.id || "-")}"]`)) {
      box.disabled = box.value === event.target.value;
      if (box.disabled) box.checked = false;
    }
  });

  /* ── problems and toasts ───────────────────────────────────────────────────────────────── */

  function problems(named) {
    for (const place of all("[data-problem]")) {
      const problem = named[place.dataset.problem] || "";
      place.textContent = problem;
      const field = document.getElementById(`f-${place.dataset.problem}`);
      if (field) problem ? field.setAttribute("aria-invalid", "true") : field.removeAttribute("aria-invalid");
    }
    const first = Object.keys(named).map((name) => document.getElementById(`f-${name}`) || one(`[name="${name}"]`)).find(Boolean);
    const open = one("dialog[open]");
    if (open && !(first && open.contains(first))) open.close(); // what is wrong lies behind it
    first?.focus();
  }
  body.addEventListener("problems", (event) => {
    const named = { ...event.detail };
    delete named.elt;
    if (Object.keys(named).length) problems(named);
  });
  // A file that would be refused for its size is told so before it is sent.
  document.addEventListener("change", (event) => {
    const field = event.target;
    if (!field.dataset?.most || [...field.files].every((file) => file.size <= Number(field.dataset.most))) return;
    field.value = "";
    problems({ [field.name]: field.dataset.tooLarge });
  });
  document.addEventListener("input", (event) => {
    const place = one(`[data-problem="${CSS.escape(event.target.name || "-")}"]`);
    if (place && place.textContent) {
      place.textContent = "";
      event.target.removeAttribute("aria-invalid");
    }
  });

  const toast = one("#toast");
  let fading = 0;
  function fade() {
    clearTimeout(fading);
    if (toast && toast.textContent.trim() && !one(".flash.bad", toast)) {
      fading = setTimeout(() => (toast.textContent = ""), 7000);
    }
  }
  if (toast) {
    new MutationObserver(fade).observe(toast, { childList: true, subtree: true });
    fade();
    if (location.search.includes("done=")) {
      const clean = new URL(location.href);
      clean.searchParams.delete("done");
      history.replaceState(null, "", clean); // a reload must not say it again
    }
  }

  /* ── form ──────────────────────────────────────────────────────────────────────────────── */

  let dirty = false; // something was typed that the server has not confirmed
  let typed = 0;
  const form = () => one("#ticket-form[hx-post]");
  const sign = (words, tone) => {
    const place = one("#saved");
    if (!place) return;
    place.className = `saved ${tone}`;
    place.textContent = words;
  };

  /* What was typed and not yet confirmed lies in this tab as well: a reload in between loses
     nothing. It is gone from here as soon as the server has it. */
  const unsaved = () => `unsaved:${one("#work [data-ticket]")?.dataset.ticket}`;
  let pending = {};
  function confirmed() {
    dirty = false;
    pending = {};
    sessionStorage.removeItem(unsaved());
  }

  document.addEventListener("input", (event) => {
    const field = event.target;
    if (!field.closest("#ticket-form[hx-post]")) return;
    dirty = true;
    typed += 1;
    pending[field.name] = field.type === "checkbox" ? field.checked : field.value;
    sessionStorage.setItem(unsaved(), JSON.stringify(pending));
    sign("正在保存…", "");
  });

  function restore() {
    const kept = form() && sessionStorage.getItem(unsaved());
    if (!kept) return;
    pending = JSON.parse(kept);
    for (const [name, value] of Object.entries(pending)) {
      for (const field of all(`[name="${name}"]`, form())) {
        if (field.type === "radio") field.checked = field.value === value;
        else if (field.type === "checkbox") field.checked = value;
        else field.value = value;
      }
    }
    one("#version").value = ""; // ours is the newest word on these fields, whatever is there
    dirty = true;
    typed += 1;
    save();
  }

  function save() {
    if (form()) window.htmx.trigger(form(), "save-now");
  }

  /* Save what is open; true once nothing unsaved is left. */
  async function flush() {
    if (!form() || !dirty) return true;
    save();
    for (let waited = 0; dirty && waited < 3000; waited += 50) {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    return !dirty;
  }

  body.addEventListener("htmx:beforeRequest", (event) => {
    if (event.detail.elt.id === "ticket-form") event.detail.xhr.typed = typed;
  });
  body.addEventListener("htmx:afterRequest", (event) => {
    const { elt, xhr, successful, requestConfig } = event.detail;
    const ofForm = elt.id === "ticket-form";
    if (ofForm && successful && xhr.typed === typed) confirmed();
    if (ofForm && !successful && xhr.status && xhr.status !== 409) sign("未保存，请看提示", "bad");
    if (successful && requestConfig.verb === "post" && requestConfig.path.startsWith("/tickets/") && !ofForm) confirmed();
  });
  body.addEventListener("htmx:sendError", (event) => {
    if (event.detail.elt.id === "ticket-form") sign("连接中断，恢复后自动保存", "bad");
  });
  body.addEventListener("live:open", () => dirty && save());
  window.addEventListener("load", restore);
  body.addEventListener("htmx:afterSettle", (event) => event.target.id === "work" && restore());
  window.addEventListener("pagehide", () => {
    const open = form();
    if (!open || !dirty) return;
    fetch(open.getAttribute("hx-post"), {
      method: "POST",
      body: new URLSearchParams(new FormData(open)),
      headers: { "X-CSRF-Token": one("meta[name=csrf]").content, "HX-Request": "true" },
      keepalive: true,
    });
  });
  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-see-latest]")) window.open(`/tickets/${one("#work [data-ticket]").dataset.ticket}`, "_blank", "noopener");
    if (event.target.closest("[data-overwrite]")) {
      one("#version").value = "";
      one("#toast").textContent = "";
      save();
    }
  });

  /* ── desk ──────────────────────────────────────────────────────────────────────────────── */

  const front = one("#front");
  let popped = sessionStorage.getItem("popped") || "";

  // One after the other: two pieces of news at once (signed, replied) would have the second put
  // where the first has just been replaced, which is nowhere.
  let turn = Promise.resolve();
  function bring(ticket) {
    turn = turn.then(() => put(ticket)).catch(() => false);
    return turn;
  }

  async function put(ticket) {
    if (!(await flush())) {
      one(`#tab-${ticket}`)?.classList.add("new");
      return false;
    }
    await window.htmx.ajax("GET", `/desk/work/${ticket}`, { target: "#work", swap: "outerHTML" });
    front.value = ticket;
    history.replaceState(null, "", `/desk?ticket=${ticket}`);
    return true;
  }

  async function pop() {
    const call = one("#call");
    if (!front || !call) return;
    document.title = (call.dataset.state === "ringing" ? "【来电】" : "") + document.title.replace("【来电】", "");
    const ticket = call.dataset.ticket;
    if (call.dataset.state !== "talking" || !ticket || popped === ticket) return;
    popped = ticket;
    sessionStorage.setItem("popped", ticket);
    if (front.value === ticket || (await bring(ticket))) {
      (one("#f-caller_name") || one("#main")).focus({ preventScroll: true });
    }
  }
  body.addEventListener("htmx:afterSettle", (event) => event.detail.elt && pop());
  body.addEventListener("htmx:oobAfterSwap", (event) => event.detail.target?.id === "call" && pop());
  if (front) {
    window.addEventListener("load", pop);
    // What happens elsewhere to the ticket in front is shown at once, unless somebody writes in it.
    body.addEventListener("live:person", (event) => {
      if (event.detail.ref === front.value && !form() && !one("dialog[open]")) bring(front.value);
    });
    document.addEventListener("click", (event) => {
      const link = event.target.closest("[data-front]");
      if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
      event.preventDefault();
      bring(link.dataset.front).then((came) => came && one("#ticket-form :is(input:not([type=hidden]), textarea)")?.focus({ preventScroll: true }));
    });
    document.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!step || !event.altKey) return;
      const tabs = all("#tabs a");
      const here = tabs.findIndex((tab) => tab.hasAttribute("aria-current"));
      const next = tabs[(here + step + tabs.length) % tabs.length];
      event.preventDefault(); // Alt+← would leave the page
      if (next) next.click();
    });
  }

  // A dialog that asks one thing is over when it is answered.
  body.addEventListener("htmx:afterRequest", (event) => {
    event.detail.elt.closest?.("form[data-brief]")?.closest("dialog")?.close(); // what is wrong is said beside it
  });

  /* ── drafts ────────────────────────────────────────────────────────────────────────────── */

  for (const field of all("[data-draft]")) {
    const key = `draft:${field.dataset.draft}`;
    const kept = sessionStorage.getItem(key);
    if (kept && !field.value) field.value = kept;
    field.addEventListener("input", () => sessionStorage.setItem(key, field.value));
  }
  body.addEventListener("htmx:afterRequest", (event) => {
    if (!event.detail.successful) return;
    for (const field of all("[data-draft]", event.detail.elt)) sessionStorage.removeItem(`draft:${field.dataset.draft}`);
  });
})();
