// Starts the page's parts, in the order in which they hear of the session.

import { startAccount } from "./account.js";
import { startAddVessel } from "./add-vessel.js";
import { startBooking } from "./booking.js";
import { Consignments } from "./consignments.js";
import { find } from "./dom.js";
import { session } from "./session.js";
import { drawShip } from "./ship.js";
import { FleetView } from "./vessels.js";
import * as views from "./views.js";

/** A well-laden ship to greet people with. */
const welcomeBoxes = 19;

startAccount();
const consignments = new Consignments({ onCancelled: (consignment) => booking.showCancelled(consignment) });
const booking = startBooking({ onBooked: () => consignments.toNewest() });
startAddVessel();
new FleetView();
drawShip(find("welcome-ship"))(welcomeBoxes);

function showConnection() {
  find("offline").hidden = navigator.onLine;
}
addEventListener("online", showConnection);
addEventListener("offline", showConnection);
showConnection();

// Before the first view comes up, so that it is the right one.
session.restore();
views.start();
find("loading").hidden = true;
find("page").hidden = false;
