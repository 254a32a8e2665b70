"use strict";

const token = document.querySelector("meta[name=token]").content;
const byId = (id) => document.getElementById(id);
const LOGGED = 300;
const PLOTTED = 60;
const PERIOD = 1000;
const NAMES = { rocketmq: "RocketMQ", sqs: "SQS", cmq: "CMQ", wcs: "WCS", cos: "COS" };

const rates = {};
let counted = null;
let logged = 0;
let log = [];
let open = null;

// Everything that a service holds becomes text: nothing of it is ever read as HTML.
function make(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "click") node.addEventListener("click", value);
    else if (value !== null && value !== undefined) node.setAttribute(name, value);
  }
  node.append(...children.map((child) => (child instanceof Node ? child : String(child))));
  return node;
}

function say(text, good) {
  const status = byId("status");
  if (status.textContent !== text) status.textContent = text;
  status.className = good ? "good" : "bad";
}

async function call(method, path, fields) {
  const answer = await fetch(path, {
    method,
    headers: method === "GET" ? {} : { "x-wirespeed-token": token },
    body: fields === undefined ? undefined : JSON.stringify(fields),
  });
  const told = await answer.json();
  if (!answer.ok) throw new Error(told.error || `the cloud answered ${answer.status}`);
  return told;
}

async function change(method, path, fields, done) {
  try {
    const told = await call(method, path, fields);
    await refresh();
    say(typeof done === "function" ? done(told) : done, true);
  } catch (error) {
    say(error.message, false);
  }
}

const size = (bytes) => {
  const units = ["B", "KiB", "MiB", "GiB"];
  let unit = 0;
  while (bytes >= 1024 && unit < units.length - 1) { bytes /= 1024; unit += 1; }
  return `${unit ? bytes.toFixed(1) : bytes} ${units[unit]}`;
};
const time = (seconds) => new Date(seconds * 1000).toLocaleTimeString();

function plot(values) {
  const space = "http://www.w3.org/2000/svg";
  const picture = document.createElementNS(space, "svg");
  const line = document.createElementNS(space, "polyline");
  const most = Math.max(1, ...values);
  const first = PLOTTED - values.length;
  const points = values.map((value, index) => `${(first + index) * (140 / (PLOTTED - 1))},${27 - (25 * value) / most}`);
  picture.setAttribute("class", "plot");
  picture.setAttribute("viewBox", "0 0 140 28");
  picture.setAttribute("role", "img");
  picture.setAttribute("aria-label", `requests a second in the last minute, at most ${Math.round(most)}`);
  line.setAttribute("points", points.join(" "));
  picture.append(line);
  return picture;
}

function table(title, columns, rows) {
  const head = make("tr", {}, ...columns.map(([name, kind]) => make("th", { class: kind, scope: "col" }, name)));
  const body = rows.map((row) =>
    make("tr", {}, ...row.map((cell, index) => make("td", { class: columns[index][1] }, ...[cell].flat()))));
  return [
    make("h3", {}, title),
    rows.length
      ? make("table", {}, make("thead", {}, head), make("tbody", {}, ...body))
      : make("p", { class: "empty" }, "none"),
  ];
}

const button = (label, about, click, kind) =>
  make("button", { type: "button", "aria-label": `${label} ${about}`, class: kind, click }, label);

function queueTable(service, queues) {
  return table(
    "Queues",
    [["Name"], ["Ready", "number"], ["In flight", "number"], ["Delayed", "number"], ["Dead letters to"], ["", "actions"]],
    queues.map((queue) => [
      queue.name, queue.ready, queue.in_flight, queue.delayed, queue.dead_letters_to,
      [
        button("Open", queue.name, () => show({ service, kind: "messages", name: queue.name })),
        ...(queue.dead_letters
          ? [button("Redrive", queue.name, () =>
            change("POST", "api/redrive", { service, name: queue.name }, (told) => `${told.moved} sent again`))]
          : []),
        button("Purge", queue.name, () => {
          if (confirm(`Delete all messages of ${queue.name}?`))
            change("POST", "api/purge", { service, name: queue.name }, (told) => `${told.purged} deleted`);
        }, "danger"),
      ],
    ]),
  );
}

function storeTables(service, told) {
  return [
    ...table(
      "Buckets", [["Name"], ["Objects", "number"], ["Size", "number"], ["", "actions"]],
      told.buckets.map((bucket) => [
        bucket.name, bucket.objects, size(bucket.bytes),
        button("Open", bucket.name, () => show({ service, kind: "objects", name: bucket.name })),
      ]),
    ),
    ...table(
      "Uploads in progress", [["Bucket"], ["Name"], ["Parts", "number"], ["Size", "number"]],
      told.uploads.map((upload) => [upload.bucket, upload.name, upload.parts, size(upload.bytes)]),
    ),
  ];
}

const VIEWS = {
  rocketmq: (told) => [
    ...table(
      "Topics", [["Name"], ["Queues", "number"], ["Messages", "number"], ["", "actions"]],
      told.topics.map((topic) => [
        topic.name, topic.queues, topic.messages,
        [
          button("Open", topic.name, () => show({ service: "rocketmq", kind: "messages", name: topic.name })),
          ...(topic.dead_letters
            ? [button("Redrive", topic.name, () =>
              change("POST", "api/redrive", { service: "rocketmq", name: topic.name }, (done) => `${done.moved} sent again`))]
            : []),
        ],
      ]),
    ),
    make("p", { class: "empty" }, `${told.waiting} messages wait for their time or a verdict`),
    ...table(
      "Groups", [["Name"], ["Consumers", "number"], ["Lag", "number"], ["", "actions"]],
      told.groups.map((group) => [
        group.name, group.members, group.lag,
        button("Skip", `the backlog of ${group.name}`, () => {
          if (confirm(`Let ${group.name} go to the end of its topics?`))
            change("POST", "api/skip", { service: "rocketmq", name: group.name }, (done) => `${done.skipped} skipped`);
        }, "danger"),
      ]),
    ),
  ],
  sqs: (told) => queueTable("sqs", told.queues),
  cmq: (told) => [
    ...queueTable("cmq", told.queues),
    ...table(
      "Topics", [["Name"], ["Subscriptions"], ["", "actions"]],
      told.topics.map((topic) => [
        topic.name,
        topic.subscriptions.map((each) => `${each.name}: ${each.endpoint}, ${each.pending} pending`).join("; "),
        button("Publish", `to ${topic.name}`, () => show({ service: "cmq", kind: "topic", name: topic.name })),
      ]),
    ),
  ],
  wcs: (told) => storeTables("wcs", told),
  cos: (told) => storeTables("cos", told),
};

function drawServices(told) {
  const shown = byId("services");
  const cards = Object.entries(told.services).map(([service, view]) => {
    const values = rates[service] || [];
    const now = values.length ? values[values.length - 1] : 0;
    const title = make("h2", { id: `title-${service}` }, NAMES[service]);
    const head = make("header", {}, title, make("span", { class: "rate" }, `${now.toFixed(0)} requests/s`), plot(values));
    return make("article", { id: `card-${service}`, "aria-labelledby": title.id }, head, ...VIEWS[service](view));
  });
  replace(shown, cards);
}

// A card that has not changed stays, and so does the focus within it.
function replace(parent, nodes) {
  nodes.forEach((node, index) => {
    const before = parent.children[index];
    if (before === undefined) parent.append(node);
    else if (!before.isEqualNode(node)) {
      const focused = before.contains(document.activeElement) ? document.activeElement.getAttribute("aria-label") : null;
      before.replaceWith(node);
      if (focused !== null) {
        const again = [...node.querySelectorAll("button")].find((each) => each.getAttribute("aria-label") === focused);
        if (again) again.focus();
      }
    }
  });
  while (parent.children.length > nodes.length) parent.lastElementChild.remove();
}

function drawControl(told) {
  const ahead = told.ahead ? `, ${told.ahead.toFixed(0)} s ahead` : "";
  byId("clock").textContent = new Date(told.now * 1000).toLocaleString() + ahead;
  replace(byId("faults"), told.faults.map((fault) => {
    const about = [fault.kind, fault.service || "any service", fault.operation || "any operation"].join(", ");
    const left = fault.count === null ? "" : ` of ${fault.count}`;
    return make("li", {}, make("span", {}, `${about}: struck ${fault.hits}${left}`),
      button("End", `fault ${fault.number}`, () =>
        change("DELETE", `api/faults?number=${fault.number}`, undefined, "the fault has ended")));
  }));
  replace(byId("snapshots"), told.snapshots.map((name) =>
    make("li", {}, make("span", {}, name),
      button("Restore", name, () => change("POST", "api/restore", { name }, `restored ${name}`)),
      button("Delete", name, () =>
        change("DELETE", `api/snapshots?name=${encodeURIComponent(name)}`, undefined, `deleted ${name}`), "danger"))));
}

function drawLog() {
  const wanted = byId("log-filter").value.toLowerCase();
  const rows = log.filter((entry) =>
    `${entry.service} ${entry.method} ${entry.operation} ${entry.path} ${entry.status} ${entry.fault}`.toLowerCase().includes(wanted));
  byId("log").replaceChildren(...rows.slice(-LOGGED).reverse().map((entry) =>
    make("tr", {},
      make("td", {}, time(entry.time)), make("td", {}, entry.service),
      make("td", {}, `${entry.method} ${entry.operation} ${entry.path}`), make("td", { class: "number" }, entry.status),
      make("td", { class: "number" }, (entry.seconds * 1000).toFixed(1)),
      make("td", { class: "bad" }, entry.fault))));
}

function count(told) {
  const now = performance.now();
  if (counted !== null) {
    const seconds = (now - counted.at) / 1000;
    for (const service of Object.keys(told.services)) {
      const more = (told.requests[service] || 0) - (counted.requests[service] || 0);
      const values = (rates[service] = rates[service] || []);
      values.push(more / seconds);
      if (values.length > PLOTTED) values.shift();
    }
  }
  counted = { at: now, requests: told.requests };
}

async function refresh() {
  const [told, more] = await Promise.all([
    call("GET", "api/overview"), call("GET", `api/requests?after=${logged}`),
  ]);
  count(told);
  drawServices(told);
  drawControl(told);
  if (more.length) {
    logged = more[more.length - 1].number;
    log = log.concat(more).slice(-1000);
    drawLog();
  }
}

async function draw() {
  if (open === null) return;
  if (open.kind === "messages") await drawMessages();
  if (open.kind === "objects") await drawObjects();
}

async function show(what) {
  open = what;
  byId("details-title").textContent = `${NAMES[what.service]}: ${what.name}`;
  const form = byId("send-form");
  form.reset();
  form.hidden = what.kind === "objects";
  for (const field of form.querySelectorAll(".for-rocketmq")) field.hidden = what.service !== "rocketmq";
  for (const field of form.querySelectorAll(".for-fifo"))
    field.hidden = !(what.service === "sqs" && what.name.endsWith(".fifo"));
  byId("prefix-label").hidden = what.kind !== "objects";
  byId("prefix").value = "";
  byId("items").replaceChildren();
  byId("details").showModal();
  await draw().catch((error) => say(error.message, false));
}

async function drawMessages() {
  const query = new URLSearchParams({ service: open.service, name: open.name });
  const found = await call("GET", `api/messages?${query}`);
  byId("items").replaceChildren(...(found.length ? found.map((message) => {
    const properties = Object.entries(message.properties).map(([name, value]) => `${name}=${value}`).join("  ");
    return make("div", { class: "message" },
      make("p", {}, `${message.id}, ${message.state}, received ${message.receives} times, ${size(message.size)}, ${time(message.time)}`),
      make("pre", {}, message.body), make("p", {}, properties));
  }) : [make("p", { class: "empty" }, "no messages")]));
}

async function drawObjects() {
  const query = new URLSearchParams({ service: open.service, bucket: open.name, prefix: byId("prefix").value });
  const found = await call("GET", `api/objects?${query}`);
  byId("items").replaceChildren(...table(
    "Objects", [["Name"], ["Size", "number"], ["Type"], ["Hash"], ["", "actions"]],
    found.map((each) => [each.name, size(each.size), each.type, each.hash,
      button("Delete", each.name, async () => {
        if (!confirm(`Delete ${each.name}?`)) return;
        await change("POST", "api/delete", { service: open.service, bucket: open.name, name: each.name }, `deleted ${each.name}`);
        await draw();
      }, "danger")]),
  ));
}

function filled(form) {
  const fields = {};
  for (const [name, value] of new FormData(form)) {
    const field = form.elements[name];
    if (value === "" || field.closest("[hidden]")) continue;
    fields[name] = field.type === "number" ? Number(value) : value;
  }
  return fields;
}

function on(id, act) {
  byId(id).addEventListener("submit", (event) => {
    event.preventDefault();
    act(filled(event.target), event.target);
  });
}

function fitFault() {
  const form = byId("fault-form");
  const kind = form.elements.kind.value;
  form.querySelector(".for-seconds").hidden = kind !== "delay" && kind !== "skew";
  form.querySelector(".for-status").hidden = kind !== "status";
}

on("fault-form", (fields) => change("POST", "api/faults", fields, "the fault is on"));
on("travel-form", (fields) => change("POST", "api/travel", fields, "the clock was moved"));
on("snapshot-form", (fields) => change("POST", "api/snapshots", fields, `remembered as ${fields.name}`));
on("send-form", async (fields, form) => {
  await change("POST", "api/send", { service: open.service, name: open.name, ...fields }, (told) => `sent ${told.id}`);
  form.elements.body.value = "";
  await draw();
});
byId("fault-form").elements.kind.addEventListener("change", fitFault);
byId("log-filter").addEventListener("input", drawLog);
byId("prefix").addEventListener("input", () => draw().catch((error) => say(error.message, false)));
byId("details").addEventListener("close", () => { open = null; });
byId("reset").addEventListener("click", () => {
  if (confirm("Forget all topics, queues, messages, objects and faults?"))
    change("POST", "api/reset", {}, "everything is forgotten");
});

async function live() {
  try {
    await refresh();
    if (byId("status").textContent === "connecting" || byId("status").className === "bad lost") say("live", true);
  } catch (error) {
    say("the cloud does not answer", false);
    byId("status").className = "bad lost";
  }
  setTimeout(live, PERIOD);
}

fitFault();
live();
