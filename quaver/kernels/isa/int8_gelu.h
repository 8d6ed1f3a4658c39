// Numbers that every int8 table computes with, so that all agree.
#pragma once

namespace quaver {

// gelu(x) = x (1/2 + z P(z^2)), z being x held within the limit, where z P
// reaches 1/2: a minimax fit of the product, within 1e-4.
inline constexpr float kGeluLimit = 4.25f;
inline constexpr float kGeluTerms[] = {
    3.98420061e-01f, -6.54535208e-02f, 9.25783107e-03f, -9.40449099e-04f,
    6.55272619e-05f, -2.93881365e-06f, 7.57087296e-08f, -8.46046871e-10f};

// Rows that span less are zero.
inline constexpr float kInt8LeastRange = 1e-30f;

}  // namespace quaver
