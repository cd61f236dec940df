/* A program that was built without the application: -Dconsole=false. */
#include "door/console/assets.h"

const struct asset console_assets[] = {{0}};
const uint32_t console_asset_count = 0;
