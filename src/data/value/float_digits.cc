/* C++17's to_chars: the shortest digits that read back the same, which C has no call for. */
#include <charconv>
#include <cstddef>

extern "C" {
size_t float_digits_f64(double v, char out[40]);
size_t float_digits_f32(float v, char out[40]);
}

size_t float_digits_f64(double v, char out[40])
{
    return size_t(std::to_chars(out, out + 40, v, std::chars_format::scientific).ptr - out);
}

size_t float_digits_f32(float v, char out[40])
{
    return size_t(std::to_chars(out, out + 40, v, std::chars_format::scientific).ptr - out);
}
