import { render } from "preact";
import { App } from "./app";

function begin() {
  const page = document.getElementById("page");
  if (page) {
    page.replaceChildren();
    render(<App />, page);
  }
}

// The frame that came with the page is painted first; of a page that is not seen, nothing is.
if (document.visibilityState === "hidden") begin();
else requestAnimationFrame(() => setTimeout(begin));
