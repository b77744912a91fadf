AUDIT (name relationships);
SELECT * FROM @this_model WHERE @column IS NOT NULL AND @column NOT IN (SELECT @field FROM @to);

AUDIT (name same_count);
SELECT 1 WHERE (SELECT count(*) FROM @this_model) <> (SELECT count(*) FROM @to);
