/* The version, in one place: meson.build has the same; a test compares them. */
#pragma once
#define SLUICE_VERSION "0.1.0"
