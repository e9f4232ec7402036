/** The page at `/docs`: Swagger UI over the server's own document. Script and style are files, as its policy demands. */
import type { ModelIdentity } from '../model/served-model.ts';

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
const escaped = (text: string): string => text.replace(/[&<>"]/g, (character) => ENTITIES[character] as string);

/** The page; everything it names lies beside it. */
export const pageFor = ({ name, version }: Pick<ModelIdentity, 'name' | 'version'>): string => `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escaped(`${name} ${version}`)}</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="docs/swagger-ui.css">
<link rel="stylesheet" href="docs/page.css">
</head>
<body>
<main id="page"></main>
<noscript>This page needs JavaScript; the document itself is at <a href="openapi.json">openapi.json</a>.</noscript>
<script src="docs/swagger-ui-bundle.js"></script>
<script src="docs/page.js"></script>
</body>
</html>
`;

/**
 * Fetches the document and shows it. Where the server wants credentials it asks for them first, keeps them for this tab,
 * and sends them with every request of the page.
 */
export const PAGE_SCRIPT = `'use strict';
const page = document.getElementById('page');
const KEY = 'slipway-credential';
const headers = () => {
  const credential = sessionStorage.getItem(KEY);
  return credential ? { authorization: 'Bearer ' + credential } : {};
};

const say = (text) => {
  const note = document.createElement('p');
  note.className = 'note';
  note.textContent = text;
  page.replaceChildren(note);
};

const ask = (wasWrong) => {
  const form = document.createElement('form');
  const label = document.createElement('label');
  label.textContent = wasWrong ? 'That was not accepted. API key or token:' : 'This server wants an API key or a token:';
  const input = document.createElement('input');
  input.type = 'password';
  input.autocomplete = 'off';
  const button = document.createElement('button');
  button.textContent = 'Show';
  label.append(input);
  form.append(label, button);
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    sessionStorage.setItem(KEY, input.value.trim());
    start();
  });
  page.replaceChildren(form);
  input.focus();
};

const show = (spec) => {
  SwaggerUIBundle({
    spec,
    domNode: page,
    deepLinking: false,
    displayRequestDuration: true,
    docExpansion: 'list',
    defaultModelsExpandDepth: 0,
    tryItOutEnabled: true,
    validatorUrl: null,
    requestInterceptor: (request) => {
      request.headers = { ...headers(), ...request.headers };
      return request;
    },
  });
};

const start = async () => {
  const had = sessionStorage.getItem(KEY) !== null;
  const response = await fetch('openapi.json', { headers: headers() });
  if (response.status === 401 || response.status === 403) return ask(had);
  if (response.status === 503) {
    say('The model is still loading; this page looks again.');
    setTimeout(start, 1000);
    return;
  }
  if (!response.ok) return say('The document could not be read: the server answered ' + response.status + '.');
  show(await response.json());
};

start().catch(() => say('The server does not answer.'));
`;

/** What Swagger UI's own style leaves to the page. */
export const PAGE_STYLE = `body { margin: 0; background: #fafafa; font-family: sans-serif; }
.note, form { max-width: 40rem; margin: 4rem auto; padding: 0 1rem; }
form input { display: block; width: 100%; box-sizing: border-box; margin: 0.5rem 0; padding: 0.5rem; }
form button { padding: 0.5rem 1.5rem; }
.swagger-ui .info { margin: 2rem 0 1rem; }
.swagger-ui .scheme-container { background: none; box-shadow: none; padding: 0; margin: 0; }
.swagger-ui .scheme-container .schemes-server-container { display: none; }
`;
