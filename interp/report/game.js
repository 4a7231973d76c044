(() => {
  const { question, rounds } = JSON.parse(document.getElementById("data").textContent);
  const game = document.getElementById("game");
  const letters = "ABCDEFGH";
  let keys = () => {};
  let at = 0, chosen = [];

  const make = (name, attributes = {}, ...inside) => {
    const svg = ["svg", "rect", "text", "title"].includes(name);
    const made = svg ? document.createElementNS("http://www.w3.org/2000/svg", name) : document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.append(...inside);
    return made;
  };

  const shuffled = (list) => {
    const dealt = [...list];
    for (let i = dealt.length - 1; i > 0; i--) {
      const j = Math.floor(Math.random() * (i + 1));
      [dealt[i], dealt[j]] = [dealt[j], dealt[i]];
    }
    return dealt;
  };

  const drawn = (cells, tokens, name) => {
    const left = 48, size = 10, n = cells.length;
    const svg = make("svg", { viewBox: `0 0 ${left + n * size} ${n * size}`, role: "img", "aria-label": name });
    cells.forEach((row, i) => {
      svg.append(make("text", { x: left - 3, y: i * size + 7.5, "text-anchor": "end" }, tokens[i]));
      row.forEach((value, j) => {
        const cell = make("rect", { x: left + j * size, y: i * size, width: size, height: size, fill: "var(--accent)" });
        cell.setAttribute("fill-opacity", value.toFixed(2));
        cell.append(make("title", {}, `${tokens[i]} looks at ${tokens[j]}`));
        svg.append(cell);
      });
    });
    svg.append(make("rect", { x: left, y: 0, width: n * size, height: n * size, fill: "none", stroke: "var(--line)" }));
    return svg;
  };

  const round = () => {
    const { tokens, maps, note } = rounds[at];
    const dealt = shuffled(maps);
    const said = make("p", { id: "said", role: "status", "aria-live": "polite" });
    const box = make("fieldset", { id: "maps", "aria-labelledby": "question" });
    const buttons = dealt.map((map, i) => {
      const button = make("button", { type: "button" }, `Map ${letters[i]}`);
      button.addEventListener("click", () => answer(i));
      box.append(make("div", { class: "map" }, drawn(map.cells, tokens, `map ${letters[i]}`), button));
      return button;
    });
    const next = make("button", { type: "button" }, at + 1 < rounds.length ? "Next" : "How did I do?");
    next.hidden = true;
    next.addEventListener("click", () => { at += 1; at < rounds.length ? round() : end(); });

    const answer = (i) => {
      if (!next.hidden) return;
      const right = dealt[i] === maps[0];
      chosen.push(dealt[i].label);
      buttons.forEach((button, k) => {
        button.disabled = true;
        button.textContent = `${letters[k]}: ${dealt[k].label}`;
        if (dealt[k] === maps[0]) button.classList.add("right");
        else if (k === i) button.classList.add("wrong");
      });
      const truth = letters[dealt.indexOf(maps[0])];
      said.textContent = `${right ? "Right." : "No."} The trained model on the real sentence is map ${truth}. ${note}`;
      next.hidden = false;
      next.focus();
    };

    keys = (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const i = Math.max("1234".indexOf(event.key), "abcd".indexOf(event.key.toLowerCase()));
      if (event.key.length === 1 && i >= 0 && i < dealt.length) answer(i);
    };
    game.replaceChildren(
      make("h1", { id: "question" }, question),
      make("p", {}, `Round ${at + 1} of ${rounds.length}. Choose with the buttons, or with the keys A to ${letters[dealt.length - 1]}.`),
      box, said, next,
    );
    if (at) buttons[0].focus();
  };

  const end = () => {
    const right = chosen.filter((label, i) => label === rounds[i].maps[0].label).length;
    const chance = rounds.reduce((sum, { maps }) => sum + 1 / maps.length, 0);
    const counts = {};
    chosen.forEach((label) => { counts[label] = (counts[label] || 0) + 1; });
    const list = make("ul", {}, ...Object.entries(counts).sort((a, b) => b[1] - a[1]).map(([k, v]) => make("li", {}, `${k}: ${v}`)));
    const again = make("button", { type: "button" }, "Play again");
    again.addEventListener("click", () => { at = 0; chosen = []; round(); });
    keys = () => {};
    game.replaceChildren(
      make("h1", { id: "question", tabindex: "-1" }, `${right} of ${rounds.length} right`),
      make("p", { role: "status" }, `Guessing gets about ${chance.toFixed(1)}. What you took for the trained model on the real sentence:`),
      list, again,
    );
    again.focus();
  };

  document.addEventListener("keydown", (event) => keys(event));
  round();
})();
