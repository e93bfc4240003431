import { mount } from 'svelte';
import App from './App.svelte';
import { router } from './lib/router.svelte';
import { live } from './lib/state.svelte';
import { theme } from './lib/theme.svelte';
import 'uplot/dist/uPlot.min.css';
import './styles/tokens.css';
import './styles/base.css';

theme.start();
router.start();
live.start();

const target = document.getElementById('app');
if (target === null) throw new Error('the page has no place for the console');
mount(App, { target });
