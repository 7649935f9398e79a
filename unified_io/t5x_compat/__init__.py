"""Everything upstream T5X needs to train and run our models, and T5X's surface on our own engine.

T5X is never imported: it looks at structure only. Nothing else imports this package.
"""
