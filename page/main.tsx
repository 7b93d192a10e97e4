/** The page of the admin port. Everything it shows comes from `/v1` of the same origin. */
import { render } from 'preact';
import { App } from './app.tsx';
import { startClock } from './clock.ts';
import { follow } from './data/store.ts';
import './styles/tokens.css';
import './styles/layout.css';
import './styles/parts.css';
import './styles/controls.css';
import './styles/tables.css';
import './styles/charts.css';
import './styles/overview.css';
import { startTheme } from './theme.ts';

startTheme();
startClock();
follow();
render(<App />, document.getElementById('root')!);
