// Names that lie one edit from a better known one.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace quaver {

// Of distinct comparable names, best known first, the places of those that one
// letter more, less or other makes one of the first `famous` (Garbe's deletes:
// each name is found by itself and by each form without one letter). Names
// shorter than five letters are left out. O(letters of all names).
std::vector<uint32_t> RareNearFamous(const std::vector<std::string>& names,
                                     size_t famous);

}  // namespace quaver
