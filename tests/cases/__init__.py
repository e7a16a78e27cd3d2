"""What Unspool deploys: one entry per case. Tests run each; docs/supported.md lists them.

    PYTHONPATH=tests python -m cases

writes the page again.
"""

from cases.around import AROUND
from cases.arrangement import ARRANGEMENT
from cases.attention import ATTENTIONS
from cases.cells import CELLS, MinimalGatedCell
from cases.core import Case, L, chain, functional, trained
from cases.images import SEQUENCES_OF_MORE
from cases.masks import CASES as MASKED
from cases.own_cells import CASES as OWN_CELLS
from cases.shapes import SHAPES

__all__ = ["CASES", "Case", "L", "MinimalGatedCell", "chain", "functional", "trained"]

SELDOM = frozenset(
    (
        *("Masking, SimpleRNN", "Masking, GRU, reset_after=False", "Masking, three layers"),
        *("Masking, go_backwards", "Masking, Bidirectional", "Masking, BatchNormalization"),
        *("Masking, residual", "Attention, use_scale", "Attention, score_mode concat"),
        *("AdditiveAttention, use_scale=False", "GroupQueryAttention, one group, cross"),
        "MultiHeadAttention, output_shape, dropout, use_gate",
        *("two ConvLSTM1D, strides, dilation", "two ConvLSTM2D, BatchNormalization"),
        *("two Bidirectionals, mul", "two Bidirectionals, ave", "TimeDistributed(LSTM)"),
        "TimeDistributed(RNN([own cell, GRUCell]))",
        *("own cell: peephole", "own cell: Bidirectional"),
        # unrolling/test_activations.py holds each of these functions to two levels in every run.
        *("SimpleRNN, relu", "SimpleRNN, gelu", "SimpleRNN, linear", "GRU, elu", "LSTM, selu"),
        *("LeakyReLU", "ELU, alpha 0.7", "selu", "celu", "hard_tanh", "hard_swish", "swish"),
        *("softsign", "mish", "softplus", "hard_shrink", "exponential", "gelu", "glu head"),
        "ReLU with a threshold, a slope and a limit",
        *("LSTM, unit_forget_bias=False", "GRU, reset_after=False, use_bias=False"),
        *("two layers", "return_state, GRU", "Dense before and after", "Attention"),
        "TimeDistributed(Conv2D), TimeDistributed(Flatten)",
        *("two Bidirectionals, sum", "Bidirectional LSTM, return_sequences"),
        *("RNN([cell, cell]), backwards, return_sequences", "keras.ops.mean", "keras.ops.max"),
        *("TimeDistributed(Bidirectional(LSTM))", "Masking, two of Bidirectional, sequences"),
        *("softmax head", "softmax head for each step", "sigmoid head", "MultiHeadAttention"),
        *("TimeDistributed(SimpleRNN), return_sequences", "LSTM, softsign", "Masking(0)"),
        *("Attention of a query, a value and a key", "GroupQueryAttention"),
        *(
            "TimeDistributed(ConvLSTM1D)",
            "Bidirectional, merge_mode=None",
            "Masking, a nested model",
        ),
        *("Bidirectional, mul", "Bidirectional, ave", "Bidirectional, sum", "GRU, softsign"),
        *("ConvLSTM2D, return_state, initial_state", "ConvLSTM2D, backwards, return_sequences"),
        *("ConvLSTM2D, dilation, relu, use_bias=False", "keras.ops.std over time", "ELU"),
        *("MultiHeadAttention, cross, value_dim, use_bias=False", "AdditiveAttention"),
        *("Masking, Flatten, which Keras gives no mask", "Masking, a stack of cells, backwards"),
        *("Masking, Conv1D, which Keras gives no mask", "own cell: a stack of own and Keras's"),
        *("TimeDistributed(GRU), backwards, reset_after=False", "two Bidirectionals, concat"),
        *("both pools of a Bidirectional", "Concatenate and Add across branches"),
        *("Conv2D, padded, with strides beyond 3", "own cell: a subclass of GRUCell"),
        *("Masking, GlobalAveragePooling1D(keepdims) of Dense, Dense", "relu6 for each step"),
        *("GRU, linear", "GRU, use_bias=False", "LSTM, use_bias=False", "GRU, hard_sigmoid gates"),
        *("keras.ops.sum", "RNN([cell, cell])", "three layers", "go_backwards"),
        *("initial_state from another input", "return_state, LSTM", "Bidirectional, concat"),
        *("Conv1D dilated, residual", "Average, Minimum", "Conv2D + Reshape (a CRNN)"),
        *("Conv2D, DepthwiseConv2D, padding", "Conv1D, strides, causal padding"),
        *("Masking, and the input beside it", "mask= computed from an input"),
        *("Masking, LSTM, sequences", "two masked inputs", "Dot of weights and steps"),
        *("MultiHeadAttention, return_attention_scores", "ConvLSTM1D", "own cell: square, split"),
        *("Masking, GlobalAveragePooling1D, and mean over all steps", "Concatenate of twelve"),
        *("Dense and Conv1D with selu, elu, relu6", "own cell: projected LSTM"),
        *("Bidirectional(ConvLSTM2D)", "DeepSpeech: clipped ReLU, LSTM"),
        *("TimeDistributed(model of recurrent layers)", "own cell: zoneout"),
        *("RNNoise: three GRUs, 42 features, two heads", "Conv1D dilated, gated (a WaveNet)"),
        *("Bidirectional(RNN([cell, cell])), return_sequences", "TimeDistributed(model of Conv2D)"),
        *("Masking, GRU, GlobalAveragePooling1D", "keras.ops.max beside keras.ops.min"),
        *("Attention and AdditiveAttention of the last step", "RepeatVector, Permute, Multiply"),
        *("BatchNormalization between recurrent layers", "Masking, a user's own cell"),
        *("Conv1D with strides beyond 3", "MaxPooling1D, padded, with strides beyond 3"),
        *("ConvLSTM2D", "Masking, zero_output_for_mask", "LSTM, relu", "GRU, relu"),
        *("Bidirectional SimpleRNN", "return_sequences", "Flatten, Dense", "Dropout, removed"),
        *("mask= and initial_state=", "names with spaces and umlauts", "ReLU(6)"),
    )
)
"""Names of cases near others that every run has: all of theirs are left to `make test-all`."""

CASES: tuple[Case, ...] = (
    *CELLS,
    *OWN_CELLS,
    *ARRANGEMENT,
    *SEQUENCES_OF_MORE,
    *AROUND,
    *ATTENTIONS,
    *MASKED,
    *SHAPES,
)
