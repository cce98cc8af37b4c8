// Players whose tracks run together: all play, one is heard.
(() => {
  const SEEK = 0.3; // seconds apart from which a track jumps; below, it runs faster or slower
  const NOTICED = 0.05; // seconds apart from which a track jumps when it is chosen
  const MOST = 0.25; // of that, as a share; what runs so is not heard
  const of = (element) => element.closest(".ts-player");
  const tracks = (player) => [...player.querySelectorAll("audio")];
  const chosen = (player) => Number(player.querySelector("input[type=radio]:checked").value);
  const clock = (s) => `${Math.floor(s / 60)}:${String(Math.floor(s % 60)).padStart(2, "0")}`;

  const together = (player) => {
    const lead = tracks(player)[chosen(player)];
    for (const one of tracks(player)) {
      const behind = lead.currentTime - one.currentTime;
      const running = one !== lead && !lead.paused;
      if (Math.abs(behind) > SEEK) one.currentTime = lead.currentTime;
      one.playbackRate = running ? 1 + Math.max(-MOST, Math.min(MOST, 2 * behind)) : 1;
    }
  };
  const show = (player) => {
    const lead = tracks(player)[chosen(player)];
    const button = player.querySelector(".ts-play");
    button.textContent = lead.paused ? "Play" : "Pause";
    button.setAttribute("aria-pressed", String(!lead.paused));
    player.querySelector(".ts-seek").value = lead.currentTime;
    player.querySelector(".ts-now").textContent = clock(lead.currentTime);
  };
  const stop = (player) => tracks(player).forEach((one) => one.pause());
  const play = async (player) => {
    document.querySelectorAll(".ts-player").forEach((other) => other !== player && stop(other));
    const lead = tracks(player)[chosen(player)];
    if (lead.ended) tracks(player).forEach((one) => (one.currentTime = 0));
    for (const one of tracks(player)) one.currentTime = lead.currentTime;
    await Promise.all(tracks(player).map((one) => one.play()));
  };

  document.addEventListener("click", (event) => {
    const button = event.target.closest?.(".ts-play");
    if (!button) return;
    const player = of(button);
    if (tracks(player)[chosen(player)].paused) play(player).catch(() => show(player));
    else stop(player);
  });
  document.addEventListener("change", (event) => {
    if (!event.target.matches?.(".ts-player input[type=radio]")) return;
    const player = of(event.target);
    const heard = tracks(player).find((one) => !one.muted);
    const next = tracks(player)[chosen(player)];
    if (Math.abs(next.currentTime - heard.currentTime) > NOTICED) next.currentTime = heard.currentTime;
    tracks(player).forEach((one) => (one.muted = one !== next));
    together(player);
    show(player);
  });
  document.addEventListener("input", (event) => {
    if (!event.target.matches?.(".ts-seek")) return;
    const player = of(event.target);
    tracks(player).forEach((one) => (one.currentTime = Number(event.target.value)));
  });
  for (const kind of ["play", "pause", "ended", "timeupdate", "seeked"]) {
    document.addEventListener(kind, (event) => {
      const player = event.target.closest?.(".ts-player");
      if (!player) return;
      if (kind === "timeupdate") together(player);
      show(player);
    }, true); // media events do not bubble
  }
})();
