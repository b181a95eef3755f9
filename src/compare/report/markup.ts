import { escapeHtml } from "../../formats/escape.js";

/** At most `length` characters, the last one … where some were cut off. */
export const shorten = (text: string, length: number): string => {
  const characters = [...text];
  return characters.length <= length ? text : `${characters.slice(0, length - 1).join("")}…`;
};

/** How many colours the page tells apart; further methods take them again, dashed. */
export const COLOURS = 8;

/** The class that sets the colour of a method by its place in the comparison. */
export const colourClass = (index: number): string => `c${index % COLOURS}${index >= COLOURS ? " again" : ""}`;

/** A piece of the page under a heading. */
export const section = (heading: string, ...content: readonly string[]): string =>
  `<section>\n<h2>${escapeHtml(heading)}</h2>\n${content.join("\n")}\n</section>`;

export const paragraph = (text: string, className = ""): string =>
  `<p${className && ` class="${className}"`}>${escapeHtml(text)}</p>`;

/** Wide content scrolls in itself, so that a small screen's page does not; reachable with the keyboard. */
export const scrolling = (label: string, content: string): string =>
  `<div class="scroll" role="region" aria-label="${escapeHtml(label)}" tabindex="0">\n${content}\n</div>`;

/** A drawing with its caption. */
export const figure = (content: string, caption: string): string =>
  `<figure>\n${content}\n<figcaption>${escapeHtml(caption)}</figcaption>\n</figure>`;
