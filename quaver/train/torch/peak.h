// What the machine's matrix products can do: the measure of MFU.
#pragma once

#include <ATen/ATen.h>

#include "quaver/train/team.h"

namespace quaver {

// The best rate, in floating-point operations a second, that all workers
// together reach in products of `type`, of several large shapes, about a second
// each.
double MeasureProductPeak(Team& team, at::ScalarType type, at::Device device);

}  // namespace quaver
