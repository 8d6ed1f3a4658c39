// The update of Muon for one matrix: momentum whose singular values are all
// brought near 1 (Jordan 2024, "Muon: an optimizer for hidden layers").
#pragma once

#include <ATen/ATen.h>

namespace quaver {

// Brings the singular values of a matrix near 1 (0.68 to 1.2) by five steps of
// Newton and Schulz's iteration, whose coefficients were chosen for speed, not
// for convergence; those below 0.0015 of the Frobenius norm, as random square
// matrices have, only grow up to 485-fold. In the matrix's own type; bfloat16
// is enough. Zero stays zero. Cost for [m, n], m <= n: 5 (4 m^2 n + 2 m^3)
// FLOP.
at::Tensor Orthogonalised(const at::Tensor& matrix);

// What to subtract from the weights for a learning rate of 1, in `compute`.
// `momentum` becomes decay * momentum + scale * gradient, of which the update
// looks one step ahead (Nesterov). Its root mean square is about 0.2, AdamW's,
// so that both share a learning rate (Liu et al. 2025, "Muon is scalable for
// LLM training").
at::Tensor MuonUpdate(const at::Tensor& gradient, double scale, double decay,
                      at::ScalarType compute, at::Tensor& momentum);

}  // namespace quaver
