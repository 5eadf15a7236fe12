// Runs once inside #scene, which shows nothing: the way between page and server.
// In: a new scene is told to the page as the event hilum:scene. Out: hilum.send(command), hilum.picture([...]).
window.hilum = window.hilum || {};
window.hilum.send = (command) => trigger("select", command);
window.hilum.picture = (asked) => server.picture(asked);
window.hilum.exported = (asked) => server.exported(asked);
window.hilum.sent = (asked) => server.sent(asked);
const tell = () => {
  if (!props.value) return;
  window.hilum.scene = JSON.parse(props.value);
  if (window.hilum.scene.session) sessionStorage.setItem("hilum-session", window.hilum.scene.session);
  else sessionStorage.removeItem("hilum-session");
  document.dispatchEvent(new CustomEvent("hilum:scene", { detail: window.hilum.scene }));
};
watch("value", tell);
tell();
