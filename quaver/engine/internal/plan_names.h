// Keys of a plan's metadata.
#pragma once

namespace quaver {

inline constexpr char kPlanKind[] = "kind";        // ModelKind's name
inline constexpr char kPlanColumns[] = "columns";  // of fp32 panels

}  // namespace quaver
