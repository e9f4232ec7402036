/** Installs or upgrades the chart with the locally built images, as release `slipway` in `slipway-system`. */
import { installSlipway } from '../test/support/install.ts';

installSlipway();
