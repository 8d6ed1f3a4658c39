// GELU in its exact form, over one vector type: the includer defines Vec
// beforehand.
//
// Unnamed, so each includer compiles its own.
#pragma once

namespace quaver {
namespace {

// erf(x / sqrt 2) = x P(x^2) / Q(x^2) for |x| <= 5.6, a minimax fit; beyond,
// 1 - erf is below 3e-8. With fp32 rounding gelu is within 1e-6 everywhere
// (the test walks over all of [-12, 12]).
Vec::Float Gelu(Vec::Float x) {
  const Vec::Float limit = Vec::Set(5.6f);
  const Vec::Float z =
      Vec::Max(Vec::Min(x, limit), Vec::Sub(Vec::Zero(), limit));
  const Vec::Float t = Vec::Mul(z, z);
  Vec::Float p = Vec::Set(4.34141301e-08f);
  p = Vec::MulAdd(p, t, Vec::Set(1.30514549e-05f));
  p = Vec::MulAdd(p, t, Vec::Set(3.73551416e-04f));
  p = Vec::MulAdd(p, t, Vec::Set(9.57183410e-03f));
  p = Vec::MulAdd(p, t, Vec::Set(7.11137675e-02f));
  p = Vec::MulAdd(p, t, Vec::Set(7.97884209e-01f));
  Vec::Float q = Vec::Set(1.18005079e-06f);
  q = Vec::MulAdd(q, t, Vec::Set(7.96826976e-05f));
  q = Vec::MulAdd(q, t, Vec::Set(1.98529432e-03f));
  q = Vec::MulAdd(q, t, Vec::Set(2.96325193e-02f));
  q = Vec::MulAdd(q, t, Vec::Set(2.55792092e-01f));
  q = Vec::MulAdd(q, t, Vec::Set(1.0f));
  const Vec::Float erf = Vec::Div(Vec::Mul(z, p), q);
  const Vec::Float half = Vec::Mul(x, Vec::Set(0.5f));
  return Vec::MulAdd(half, erf, half);
}

}  // namespace
}  // namespace quaver
