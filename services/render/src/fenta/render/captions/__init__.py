"""Text over the picture: fonts, line breaks, word by word highlights, title and end card, written as ASS."""
