// The kernels of one CPU family as a table. Included last, inside namespace cadenza, with KERNELS and NAME defined.

const Kernels KERNELS = {
    NAME,
    {multiply<TileF32>, multiply<TileBF16>, multiply<TileQ8>, multiply<TileQ4>},
    quantize,
    normalize,
    gelu,
    {append_float<float>, append_float<uint16_t>, append_quantized, append_quantized},
    {attend<Store::f32>, attend<Store::bf16>, attend<Store::bytes>, attend<Store::bytes>},
};
