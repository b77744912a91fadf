CREATE SCHEMA IF NOT EXISTS "DB1"."GOLD";

CREATE TRANSIENT SCHEMA IF NOT EXISTS "DB1"."GOLD_CANDIDATES" DATA_RETENTION_TIME_IN_DAYS = 0;

ALTER TASK IF EXISTS "DB1"."GOLD_CANDIDATES"."TOY_SHOP__BEGIN" SUSPEND;

CREATE TABLE IF NOT EXISTS "DB1"."GOLD"."MARTS_STATE" (
  "PACKAGE" VARCHAR,
  "NAME" VARCHAR,
  "KIND" VARCHAR,
  "RUN_ID" VARCHAR,
  "AS_OF" DATE,
  "PUBLISHED_AT" TIMESTAMP_NTZ,
  "VERSION" VARCHAR,
  "ORIGIN" VARCHAR,
  "PROOF" VARCHAR
);

CREATE TABLE IF NOT EXISTS "DB1"."GOLD"."MARTS_RUNS" (
  "RUN_ID" VARCHAR,
  "PACKAGE" VARCHAR,
  "STATUS" VARCHAR,
  "STARTED_AT" TIMESTAMP_NTZ,
  "PUBLISHING_SINCE" TIMESTAMP_NTZ,
  "ENDED_AT" TIMESTAMP_NTZ,
  "SECONDS" DOUBLE,
  "AS_OF" DATE,
  "SELECTION" VARCHAR,
  "USER_NAME" VARCHAR,
  "ROLE_NAME" VARCHAR,
  "HOST_NAME" VARCHAR,
  "BACKEND" VARCHAR,
  "MARTS_VERSION" VARCHAR,
  "ENVIRONMENT" VARCHAR,
  "SOURCES_AT" TIMESTAMP_NTZ,
  "MARTS_BUILT" BIGINT,
  "MARTS_PUBLISHED" BIGINT,
  "MARTS_UNCHANGED" BIGINT,
  "ROWS_BUILT" BIGINT,
  "CHECKS_MADE" BIGINT,
  "CHECKS_PASSED" BIGINT,
  "CHECKS_WARNED" BIGINT,
  "CHECKS_ACKNOWLEDGED" BIGINT,
  "CHECKS_FAILED" BIGINT,
  "ERROR" VARCHAR,
  "QUERY_IDS" VARCHAR,
  "RESULTS" VARCHAR
);

CREATE TABLE IF NOT EXISTS "DB1"."GOLD_CANDIDATES"."TOY_SHOP__RUNS" (
  "GRAPH_RUN" VARCHAR,
  "RUN_ID" VARCHAR,
  "AS_OF" DATE,
  "MOMENT" VARCHAR,
  "SEEN" VARCHAR,
  "DEPLOYMENT" VARCHAR
);

CREATE TABLE IF NOT EXISTS "DB1"."GOLD_CANDIDATES"."TOY_SHOP__CHECKS" (
  "RUN_ID" VARCHAR,
  "DEPLOYMENT" VARCHAR,
  "TABLE_NAME" VARCHAR,
  "CHECK_NAME" VARCHAR,
  "OUTCOME" VARCHAR,
  "VIOLATIONS" BIGINT,
  "ROW_COUNT" BIGINT,
  "CONTENTS" VARCHAR
);

INSERT INTO "DB1"."GOLD"."MARTS_STATE" ("PACKAGE", "NAME", "KIND", "RUN_ID", "AS_OF", "PUBLISHED_AT", "VERSION", "ORIGIN", "PROOF")
SELECT "PACKAGE", "NAME", "KIND", "RUN_ID", "AS_OF", "PUBLISHED_AT", "VERSION", "ORIGIN", "PROOF" FROM (SELECT '' AS "PACKAGE", 'lock' AS "NAME", 'lock' AS "KIND", 'deployed' AS "RUN_ID", NULL AS "AS_OF", NULL AS "PUBLISHED_AT", NULL AS "VERSION", NULL AS "ORIGIN", NULL AS "PROOF" UNION ALL SELECT 'toy_shop' AS "PACKAGE", 'int_paid_orders' AS "NAME", 'view' AS "KIND", 'deployed' AS "RUN_ID", NULL AS "AS_OF", NULL AS "PUBLISHED_AT", NULL AS "VERSION", NULL AS "ORIGIN", NULL AS "PROOF" UNION ALL SELECT 'toy_shop' AS "PACKAGE", 'customer_totals' AS "NAME", 'table' AS "KIND", 'deployed' AS "RUN_ID", NULL AS "AS_OF", NULL AS "PUBLISHED_AT", NULL AS "VERSION", NULL AS "ORIGIN", NULL AS "PROOF" UNION ALL SELECT 'toy_shop' AS "PACKAGE", 'model_sales' AS "NAME", 'table' AS "KIND", 'deployed' AS "RUN_ID", NULL AS "AS_OF", NULL AS "PUBLISHED_AT", NULL AS "VERSION", NULL AS "ORIGIN", NULL AS "PROOF" UNION ALL SELECT 'toy_shop' AS "PACKAGE", 'shop_overview' AS "NAME", 'table' AS "KIND", 'deployed' AS "RUN_ID", NULL AS "AS_OF", NULL AS "PUBLISHED_AT", NULL AS "VERSION", NULL AS "ORIGIN", NULL AS "PROOF") AS "S"
WHERE NOT EXISTS (SELECT 1 FROM "DB1"."GOLD"."MARTS_STATE" AS "T" WHERE "T"."PACKAGE" = "S"."PACKAGE" AND "T"."NAME" = "S"."NAME");

CREATE TRANSIENT TABLE IF NOT EXISTS "DB1"."GOLD"."CUSTOMER_TOTALS" (
  "CUSTOMER_ID" VARCHAR,
  "NAME" VARCHAR,
  "CITY" VARCHAR,
  "ORDERS_PAID" NUMBER(38, 0),
  "SPEND" NUMBER(18, 2),
  "AVERAGE_ORDER" FLOAT,
  "STARS" FLOAT,
  "LAST_ORDER_ON" DATE COMMENT 'day of the last paid order; null where there is none',
  "TIER" VARCHAR COMMENT 'gold if spend >= 1000; else plain'
)
DATA_RETENTION_TIME_IN_DAYS = 1
COMMENT = 'One row per active customer, who may have bought nothing.';

CREATE TRANSIENT TABLE IF NOT EXISTS "DB1"."GOLD"."MODEL_SALES" (
  "MONTH" DATE,
  "MODEL" VARCHAR,
  "SOLD" NUMBER(38, 0),
  "REVENUE" NUMBER(18, 2)
)
DATA_RETENTION_TIME_IN_DAYS = 1
COMMENT = 'Bicycles sold and their revenue, by calendar month and model.';

CREATE TRANSIENT TABLE IF NOT EXISTS "DB1"."GOLD"."SHOP_OVERVIEW" (
  "CALCULATED_ON" DATE,
  "BEST_CUSTOMER" VARCHAR,
  "MODELS" NUMBER(38, 0),
  "REVENUE" NUMBER(18, 2)
)
DATA_RETENTION_TIME_IN_DAYS = 1
COMMENT = 'The shop\'s best customer, models and revenue until as_of.';

CREATE OR REPLACE PROCEDURE "DB1"."GOLD_CANDIDATES"."TOY_SHOP__BEGIN"(GRAPH_RUN VARCHAR, AS_OF DATE)
RETURNS VARCHAR
LANGUAGE SQL
COMMENT = '{"tool": "marts", "package": "toy_shop", "group": "default", "digest": "4d265f91fbb71edd"}'
EXECUTE AS CALLER
AS
$$
DECLARE
  RUN_ID VARCHAR;
  MOMENT VARCHAR;
  STARTED VARCHAR;
  SEEN VARCHAR;
  ERROR_0 EXCEPTION (-20001, 'the graph has no scheduled time, so that the run has no date');
BEGIN
  IF (AS_OF IS NULL) THEN
    RAISE ERROR_0;
  END IF;
  MOMENT := (
    SELECT TO_CHAR(CONVERT_TIMEZONE('UTC', CURRENT_TIMESTAMP()), 'YYYY-MM-DD HH24:MI:SS.FF3 TZH:TZM')
  );
  STARTED := (
    SELECT TO_CHAR(CONVERT_TIMEZONE('UTC', CURRENT_TIMESTAMP()), 'YYYYMMDDHH24MISS')
  );
  RUN_ID := (
    SELECT SUBSTR(:STARTED, 1, 8) || 'T' || SUBSTR(:STARTED, 9) || '-' || UPPER(SUBSTR(MD5(:GRAPH_RUN || :STARTED), 1, 8))
  );
  SEEN := (
    SELECT COALESCE(LISTAGG("PACKAGE" || ' ' || "NAME" || ' ' || "RUN_ID", ', ') WITHIN GROUP (ORDER BY "PACKAGE", "NAME"), '')
    FROM (SELECT "PACKAGE", "NAME", "RUN_ID" FROM "DB1"."GOLD"."MARTS_STATE" WHERE "NAME" IN ('int_paid_orders', 'customer_totals', 'model_sales', 'shop_overview') AND "KIND" IN ('table', 'view') AND "AS_OF" IS NOT NULL)
  );
  DELETE FROM "DB1"."GOLD_CANDIDATES"."TOY_SHOP__RUNS" WHERE "GRAPH_RUN" = :GRAPH_RUN;
  INSERT INTO "DB1"."GOLD_CANDIDATES"."TOY_SHOP__RUNS" ("GRAPH_RUN", "RUN_ID", "AS_OF", "MOMENT", "SEEN", "DEPLOYMENT")
  SELECT :GRAPH_RUN, :RUN_ID, :AS_OF, :MOMENT, :SEEN, 'bf024f3856ff4db4';
  INSERT INTO "DB1"."GOLD"."MARTS_RUNS" ("RUN_ID", "PACKAGE", "STATUS", "STARTED_AT", "AS_OF", "SELECTION", "USER_NAME", "ROLE_NAME", "HOST_NAME", "BACKEND", "MARTS_VERSION", "ENVIRONMENT", "SOURCES_AT")
  SELECT :RUN_ID, 'toy_shop', 'running', CAST(CONVERT_TIMEZONE('UTC', CURRENT_TIMESTAMP()) AS TIMESTAMP_NTZ), :AS_OF, '', CURRENT_USER(), CURRENT_ROLE(), 'task TOY_SHOP__BEGIN', 'snowflake', '0', NULL, TO_TIMESTAMP_NTZ(SUBSTR(:MOMENT, 1, 23));
  RETURN 'done';
END;
$$;

CREATE OR REPLACE PROCEDURE "DB1"."GOLD_CANDIDATES"."TOY_SHOP__SOURCES"(GRAPH_RUN VARCHAR)
RETURNS VARCHAR
LANGUAGE SQL
COMMENT = '{"tool": "marts", "package": "toy_shop", "group": "default", "digest": "5d1b308e22171219"}'
EXECUTE AS CALLER
AS
$$
DECLARE
  RUN_ID VARCHAR;
  AS_OF DATE;
  MOMENT VARCHAR;
  FOUND INT;
  ERROR_0 EXCEPTION (-20001, 'the run of this graph has not begun: run its root task');
  ERROR_1 EXCEPTION (-20002, 'source customers has other columns than when it was deployed: run marts deploy again');
  ERROR_2 EXCEPTION (-20003, 'source orders has other columns than when it was deployed: run marts deploy again');
  ERROR_3 EXCEPTION (-20004, 'source reviews has other columns than when it was deployed: run marts deploy again');
  ERROR_4 EXCEPTION (-20005, 'a check does not hold: the table of runs names it');
BEGIN
  RUN_ID := (
    SELECT "RUN_ID" FROM "DB1"."GOLD_CANDIDATES"."TOY_SHOP__RUNS" WHERE "GRAPH_RUN" = :GRAPH_RUN
  );
  AS_OF := (
    SELECT "AS_OF" FROM "DB1"."GOLD_CANDIDATES"."TOY_SHOP__RUNS" WHERE "GRAPH_RUN" = :GRAPH_RUN
  );
  MOMENT := (
    SELECT "MOMENT" FROM "DB1"."GOLD_CANDIDATES"."TOY_SHOP__RUNS" WHERE "GRAPH_RUN" = :GRAPH_RUN
  );
  IF (RUN_ID IS NULL) THEN
    RAISE ERROR_0;
  END IF;
  DELETE FROM "DB1"."GOLD_CANDIDATES"."TOY_SHOP__CHECKS" WHERE "RUN_ID" = :RUN_ID;
  FOUND := (
    SELECT COUNT(*) FROM "DB1".INFORMATION_SCHEMA.COLUMNS
    WHERE "TABLE_SCHEMA" = 'RAW'
      AND "TABLE_NAME" = 'CUSTOMERS'
      AND "COLUMN_NAME" || ' ' || CASE "DATA_TYPE" WHEN 'NUMBER' THEN 'NUMBER(' || "NUMERIC_PRECISION" || ',' || "NUMERIC_SCALE" || ')' ELSE "DATA_TYPE" END IN ('CUSTOMER_ID TEXT', 'NAME TEXT', 'CITY TEXT', 'JOINED_ON DATE', 'ACTIVE BOOLEAN')
  );
  IF (FOUND <> 5) THEN
    RAISE ERROR_1;
  END IF;
  FOUND := (
    SELECT COUNT(*) FROM "DB1".INFORMATION_SCHEMA.COLUMNS
    WHERE "TABLE_SCHEMA" = 'RAW'
      AND "TABLE_NAME" = 'ORDERS'
      AND "COLUMN_NAME" || ' ' || CASE "DATA_TYPE" WHEN 'NUMBER' THEN 'NUMBER(' || "NUMERIC_PRECISION" || ',' || "NUMERIC_SCALE" || ')' ELSE "DATA_TYPE" END IN ('ORDER_ID TEXT', 'CUSTOMER_ID TEXT', 'ORDERED_AT TIMESTAMP_NTZ', 'MODEL TEXT', 'AMOUNT NUMBER(10,2)', 'STATUS TEXT')
  );
  IF (FOUND <> 6) THEN
    RAISE ERROR_2;
  END IF;
  FOUND := (
    SELECT COUNT(*) FROM "DB1".INFORMATION_SCHEMA.COLUMNS
    WHERE "TABLE_SCHEMA" = 'RAW'
      AND "TABLE_NAME" = 'REVIEWS'
      AND "COLUMN_NAME" || ' ' || CASE "DATA_TYPE" WHEN 'NUMBER' THEN 'NUMBER(' || "NUMERIC_PRECISION" || ',' || "NUMERIC_SCALE" || ')' ELSE "DATA_TYPE" END IN ('CUSTOMER_ID TEXT', 'STARS FLOAT')
  );
  IF (FOUND <> 2) THEN
    RAISE ERROR_3;
  END IF;
  INSERT INTO "DB1"."GOLD_CANDIDATES"."TOY_SHOP__CHECKS" ("RUN_ID", "DEPLOYMENT", "TABLE_NAME", "CHECK_NAME", "OUTCOME", "VIOLATIONS", "ROW_COUNT", "CONTENTS")
  SELECT :RUN_ID, 'bf024f3856ff4db4', 'customers', CHECK_NAME,
    CASE WHEN VIOLATIONS <= 0 THEN 'pass' WHEN SEVERITY = 'error' THEN 'fail'
      WHEN :AS_OF <= ACKNOWLEDGED_UNTIL THEN 'acknowledged' ELSE 'warn' END,
    VIOLATIONS, ROW_COUNT, NULL
  FROM (
    SELECT N.*, CASE MARTS_N WHEN 0 THEN CASE WHEN COUNTED = 0 THEN 1 ELSE 0 END ELSE CASE WHEN 2 * COUNTED < BEFORE_COUNT THEN 1 ELSE 0 END END AS VIOLATIONS, COUNTED AS ROW_COUNT
    FROM (
      SELECT * FROM (SELECT COUNT(*) AS COUNTED FROM "DB1"."RAW"."CUSTOMERS" AT (TIMESTAMP => TO_TIMESTAMP_TZ(:MOMENT, 'YYYY-MM-DD HH24:MI:SS.FF3 TZH:TZM'))) AS S
      CROSS JOIN (SELECT MAX(TRY_PARSE_JSON("ORIGIN"):"rows"::INT) AS BEFORE_COUNT FROM "DB1"."GOLD"."MARTS_STATE" WHERE "PACKAGE" = 'toy_shop' AND "NAME" = 'customers' AND "KIND" = 'source') AS B
    ) AS Q
    CROSS JOIN (
    SELECT 0, 'not_empty', 'error', CAST(NULL AS DATE)
    UNION ALL SELECT 1, 'not_shrunk', 'error', CAST(NULL AS DATE)
    ) AS N (MARTS_N, CHECK_NAME, SEVERITY, ACKNOWLEDGED_UNTIL)
  ) AS C;
  INSERT INTO "DB1"."GOLD_CANDIDATES"."TOY_SHOP__CHECKS" ("RUN_ID", "DEPLOYMENT", "TABLE_NAME", "CHECK_NAME", "OUTCOME", "VIOLATIONS", "ROW_COUNT", "CONTENTS")
  SELECT :RUN_ID, 'bf024f3856ff4db4', 'orders', CHECK_NAME,
    CASE WHEN VIOLATIONS <= 0 THEN 'pass' WHEN SEVERITY = 'error' THEN 'fail'
      WHEN :AS_OF <= ACKNOWLEDGED_UNTIL THEN 'acknowledged' ELSE 'warn' END,
    VIOLATIONS, ROW_COUNT, NULL
  FROM (
    SELECT N.*, CASE MARTS_N WHEN 0 THEN CASE WHEN COUNTED = 0 THEN 1 ELSE 0 END ELSE CASE WHEN 2 * COUNTED < BEFORE_COUNT THEN 1 ELSE 0 END END AS VIOLATIONS, COUNTED AS ROW_COUNT
    FROM (
      SELECT * FROM (SELECT COUNT(*) AS COUNTED FROM "DB1"."RAW"."ORDERS" AT (TIMESTAMP => TO_TIMESTAMP_TZ(:MOMENT, 'YYYY-MM-DD HH24:MI:SS.FF3 TZH:TZM'))) AS S
      CROSS JOIN (SELECT MAX(TRY_PARSE_JSON("ORIGIN"):"rows"::INT) AS BEFORE_COUNT FROM "DB1"."GOLD"."MARTS_STATE" WHERE "PACKAGE" = 'toy_shop' AND "NAME" = 'orders' AND "KIND" = 'source') AS B
    ) AS Q
    CROSS JOIN (
    SELECT 0, 'not_empty', 'error', CAST(NULL AS DATE)
    UNION ALL SELECT 1, 'not_shrunk', 'error', CAST(NULL AS DATE)
    ) AS N (MARTS_N, CHECK_NAME, SEVERITY, ACKNOWLEDGED_UNTIL)
  ) AS C;
  INSERT INTO "DB1"."GOLD_CANDIDATES"."TOY_SHOP__CHECKS" ("RUN_ID", "DEPLOYMENT", "TABLE_NAME", "CHECK_NAME", "OUTCOME", "VIOLATIONS", "ROW_COUNT", "CONTENTS")
  SELECT :RUN_ID, 'bf024f3856ff4db4', 'reviews', CHECK_NAME,
    CASE WHEN VIOLATIONS <= 0 THEN 'pass' WHEN SEVERITY = 'error' THEN 'fail'
      WHEN :AS_OF <= ACKNOWLEDGED_UNTIL THEN 'acknowledged' ELSE 'warn' END,
    VIOLATIONS, ROW_COUNT, NULL
  FROM (
    SELECT N.*, CASE MARTS_N WHEN 0 THEN 0 ELSE CASE WHEN 2 * COUNTED < BEFORE_COUNT THEN 1 ELSE 0 END END AS VIOLATIONS, COUNTED AS ROW_COUNT
    FROM (
      SELECT * FROM (SELECT COUNT(*) AS COUNTED FROM "DB1"."RAW"."REVIEWS" AT (TIMESTAMP => TO_TIMESTAMP_TZ(:MOMENT, 'YYYY-MM-DD HH24:MI:SS.FF3 TZH:TZM'))) AS S
      CROSS JOIN (SELECT MAX(TRY_PARSE_JSON("ORIGIN"):"rows"::INT) AS BEFORE_COUNT FROM "DB1"."GOLD"."MARTS_STATE" WHERE "PACKAGE" = 'toy_shop' AND "NAME" = 'reviews' AND "KIND" = 'source') AS B
    ) AS Q
    CROSS JOIN (
    SELECT 0, 'not_empty', 'error', CAST(NULL AS DATE)
    UNION ALL SELECT 1, 'not_shrunk', 'error', CAST(NULL AS DATE)
    ) AS N (MARTS_N, CHECK_NAME, SEVERITY, ACKNOWLEDGED_UNTIL)
  ) AS C;
  INSERT INTO "DB1"."GOLD_CANDIDATES"."TOY_SHOP__CHECKS" ("RUN_ID", "DEPLOYMENT", "TABLE_NAME", "CHECK_NAME", "OUTCOME", "VIOLATIONS", "ROW_COUNT", "CONTENTS")
  SELECT :RUN_ID, 'bf024f3856ff4db4', 'customers', CHECK_NAME,
    CASE WHEN VIOLATIONS <= 0 THEN 'pass' WHEN SEVERITY = 'error' THEN 'fail'
      WHEN :AS_OF <= ACKNOWLEDGED_UNTIL THEN 'acknowledged' ELSE 'warn' END,
    VIOLATIONS, ROW_COUNT, NULL
  FROM (
    SELECT N.*, CASE MARTS_N WHEN 0 THEN COALESCE("C0", 0) WHEN 1 THEN COALESCE("C1", 0) WHEN 2 THEN COALESCE("C2", 0) WHEN 3 THEN COALESCE("C3", 0) WHEN 4 THEN COALESCE("C4", 0) WHEN 5 THEN COALESCE("C5", 0) END AS VIOLATIONS, COALESCE("ROWS", 0) AS ROW_COUNT
    FROM (
      SELECT
        COUNT(*) AS "ROWS",
        SUM(CAST("T0"."CUSTOMER_ID" IS NULL AS INT)) AS "C0",
        SUM(CAST("T0"."NAME" IS NULL AS INT)) AS "C1",
        SUM(CAST("T0"."JOINED_ON" IS NULL AS INT)) AS "C2",
        SUM(
          CAST((
            "T0"."JOINED_ON" < DATE_FROM_PARTS(1, 1, 1)
          )
          OR (
            "T0"."JOINED_ON" > DATE_FROM_PARTS(9999, 12, 31)
          ) AS INT)
        ) AS "C3",
        SUM(CAST("T0"."ACTIVE" IS NULL AS INT)) AS "C4",
        COUNT("T0"."CUSTOMER_ID") - COUNT(DISTINCT "T0"."CUSTOMER_ID") AS "C5"
      FROM "DB1"."RAW"."CUSTOMERS" AT (TIMESTAMP => TO_TIMESTAMP_TZ(:MOMENT, 'YYYY-MM-DD HH24:MI:SS.FF3 TZH:TZM')) AS "T0"
    ) AS Q
    CROSS JOIN (
    SELECT 0, 'customer_id_not_null', 'error', CAST(NULL AS DATE)
    UNION ALL SELECT 1, 'name_not_null', 'error', CAST(NULL AS DATE)
    UNION ALL SELECT 2, 'joined_on_not_null', 'error', CAST(NULL AS DATE)
    UNION ALL SELECT 3, 'joined_on_finite', 'error', CAST(NULL AS DATE)
    UNION ALL SELECT 4, 'active_not_null', 'error', CAST(NULL AS DATE)
    UNION ALL SELECT 5, 'customer_id_unique', 'error', CAST(NULL AS DATE)
    ) AS N (MARTS_N, CHECK_NAME, SEVERITY, ACKNOWLEDGED_UNTIL)
  ) AS C;
  INSERT INTO "DB1"."GOLD_CANDIDATES"."TOY_SHOP__CHECKS" ("RUN_ID", "DEPLOYMENT", "TABLE_NAME", "CHECK_NAME", "OUTCOME", "VIOLATIONS", "ROW_COUNT", "CONTENTS")
  SELECT :RUN_ID, 'bf024f3856ff4db4', 'orders', CHECK_NAME,
    CASE WHEN VIOLATIONS <= 0 THEN 'pass' WHEN SEVERITY = 'error' THEN 'fail'
      WHEN :AS_OF <= ACKNOWLEDGED_UNTIL THEN 'acknowledged' ELSE 'warn' END,
    VIOLATIONS, ROW_COUNT, NULL
  FROM (
    SELECT N.*, COALESCE("C0", 0) AS VIOLATIONS, CAST(NULL AS INT) AS ROW_COUNT
    FROM (
      SELECT
        SUM("T8"."ROWS") AS "C0"
      FROM (
        SELECT
          *
        FROM (
          SELECT
            "T6"."CUSTOMER_ID",
            "T6"."ROWS",
            "T4"."KNOWN_VALUE"
          FROM (
            SELECT
              "T3"."CUSTOMER_ID",
              COUNT(*) AS "ROWS"
            FROM (
              SELECT
                *
              FROM "DB1"."RAW"."ORDERS" AT (TIMESTAMP => TO_TIMESTAMP_TZ(:MOMENT, 'YYYY-MM-DD HH24:MI:SS.FF3 TZH:TZM')) AS "T0"
              WHERE
                "T0"."CUSTOMER_ID" IS NOT NULL
            ) AS "T3"
            GROUP BY
              1
          ) AS "T6"
          LEFT OUTER JOIN (
            SELECT DISTINCT
              "T1"."CUSTOMER_ID" AS "KNOWN_VALUE"
            FROM "DB1"."RAW"."CUSTOMERS" AT (TIMESTAMP => TO_TIMESTAMP_TZ(:MOMENT, 'YYYY-MM-DD HH24:MI:SS.FF3 TZH:TZM')) AS "T1"
          ) AS "T4"
            ON "T6"."CUSTOMER_ID" = "T4"."KNOWN_VALUE"
        ) AS "T7"
        WHERE
          "T7"."KNOWN_VALUE" IS NULL
      ) AS "T8"
    ) AS Q
    CROSS JOIN (
    SELECT 0, 'customer_id_in_customers', 'warn', CAST(NULL AS DATE)
    ) AS N (MARTS_N, CHECK_NAME, SEVERITY, ACKNOWLEDGED_UNTIL)
  ) AS C;
  INSERT INTO "DB1"."GOLD_CANDIDATES"."TOY_SHOP__CHECKS" ("RUN_ID", "DEPLOYMENT", "TABLE_NAME", "CHECK_NAME", "OUTCOME", "VIOLATIONS", "ROW_COUNT", "CONTENTS")
  SELECT :RUN_ID, 'bf024f3856ff4db4', 'orders', CHECK_NAME,
    CASE WHEN VIOLATIONS <= 0 THEN 'pass' WHEN SEVERITY = 'error' THEN 'fail'
      WHEN :AS_OF <= ACKNOWLEDGED_UNTIL THEN 'acknowledged' ELSE 'warn' END,
    VIOLATIONS, ROW_COUNT, NULL
  FROM (
    SELECT N.*, CASE MARTS_N WHEN 0 THEN COALESCE("C0", 0) WHEN 1 THEN COALESCE("C1", 0) WHEN 2 THEN COALESCE("C2", 0) WHEN 3 THEN COALESCE("C3", 0) WHEN 4 THEN COALESCE("C4", 0) WHEN 5 THEN COALESCE("C5", 0) WHEN 6 THEN COALESCE("C6", 0) WHEN 7 THEN COALESCE("C7", 0) WHEN 8 THEN COALESCE("C8", 0) WHEN 9 THEN COALESCE("C9", 0) WHEN 10 THEN COALESCE("C10", 0) END AS VIOLATIONS, COALESCE("ROWS", 0) AS ROW_COUNT
    FROM (
      SELECT
        COUNT(*) AS "ROWS",
        SUM(CAST("T0"."ORDER_ID" IS NULL AS INT)) AS "C0",
        SUM(CAST("T0"."CUSTOMER_ID" IS NULL AS INT)) AS "C1",
        SUM(CAST("T0"."ORDERED_AT" IS NULL AS INT)) AS "C2",
        SUM(
          CAST((
            "T0"."ORDERED_AT" < TIMESTAMP_FROM_PARTS(1, 1, 1, 0, 0, 0, 0)
          )
          OR (
            "T0"."ORDERED_AT" > TIMESTAMP_FROM_PARTS(9999, 12, 31, 23, 59, 59, 999999000)
          ) AS INT)
        ) AS "C3",
        SUM(CAST("T0"."AMOUNT" IS NULL AS INT)) AS "C4",
        SUM(CAST("T0"."AMOUNT" < 0 AS INT)) AS "C5",
        SUM(CAST("T0"."STATUS" IS NULL AS INT)) AS "C6",
        SUM(CAST(NOT (
          "T0"."STATUS" IN ('paid', 'cancelled')
        ) AS INT)) AS "C7",
        COUNT("T0"."ORDER_ID") - COUNT(DISTINCT "T0"."ORDER_ID") AS "C8",
        SUM(
          CAST(IFF(
            "T0"."STATUS" IN ('paid', 'cancelled'),
            FALSE,
            REPLACE(
              TRANSLATE(
                LOWER("T0"."STATUS"),
                'ªİıⁱⁿₐₑₗₙₚℂℐℑℒℓℕℙℭℯℰℹⅅⅆⅇⅈⅠⅬⅭⅮⅰⅼⅽⅾⒶⒸⒹⒺⒾⓁⓃⓅⓐⓒⓓⓔⓘⓛⓝⓟＡＣＤＥＩＬＮＰａｃｄｅｉｌｎｐ𝐀𝐂𝐃𝐄𝐈𝐋𝐍𝐏𝐚𝐜𝐝𝐞𝐢𝐥𝐧𝐩𝐴𝐶𝐷𝐸𝐼𝐿𝑁𝑃𝑎𝑐𝑑𝑒𝑖𝑙𝑛𝑝𝑨𝑪𝑫𝑬𝑰𝑳𝑵𝑷𝒂𝒄𝒅𝒆𝒊𝒍𝒏𝒑𝒜𝒞𝒟𝒩𝒫𝒶𝒸𝒹𝒾𝓁𝓃𝓅𝓐𝓒𝓓𝓔𝓘𝓛𝓝𝓟𝓪𝓬𝓭𝓮𝓲𝓵𝓷𝓹𝔄𝔇𝔈𝔏𝔑𝔓𝔞𝔠𝔡𝔢𝔦𝔩𝔫𝔭𝔸𝔻𝔼𝕀𝕃𝕒𝕔𝕕𝕖𝕚𝕝𝕟𝕡𝕬𝕮𝕯𝕰𝕴𝕷𝕹𝕻𝖆𝖈𝖉𝖊𝖎𝖑𝖓𝖕𝖠𝖢𝖣𝖤𝖨𝖫𝖭𝖯𝖺𝖼𝖽𝖾𝗂𝗅𝗇𝗉𝗔𝗖𝗗𝗘𝗜𝗟𝗡𝗣𝗮𝗰𝗱𝗲𝗶𝗹𝗻𝗽𝘈𝘊𝘋𝘌𝘐𝘓𝘕𝘗𝘢𝘤𝘥𝘦𝘪𝘭𝘯𝘱𝘼𝘾𝘿𝙀𝙄𝙇𝙉𝙋𝙖𝙘𝙙𝙚𝙞𝙡𝙣𝙥𝙰𝙲𝙳𝙴𝙸𝙻𝙽𝙿𝚊𝚌𝚍𝚎𝚒𝚕𝚗𝚙𝚤 \t\n\r      \f       ­ ᠎           ​‌‍‎‏          ⁠　﻿',
                'aiiinaelnpciillnpceeiddeiilcdilcdacdeilnpacdeilnpacdeilnpacdeilnpacdeilnpacdeilnpacdeilnpacdeilnpacdeilnpacdeilnpacdnpacdilnpacdeilnpacdeilnpadelnpacdeilnpadeilacdeilnpacdeilnpacdeilnpacdeilnpacdeilnpacdeilnpacdeilnpacdeilnpacdeilnpacdeilnpacdeilnpacdeilnpacdeilnpi'
              ),
              'i̇',
              'i'
            ) IN ('cancelled', 'paid')
          ) AS INT)
        ) AS "C9",
        IFF(
          (
            COUNT(*) > 0
          )
          AND (
            COALESCE(SUM(CAST("T0"."STATUS" IN ('paid') AS INT)), 0) = 0
          ),
          1,
          0
        ) AS "C10"
      FROM "DB1"."RAW"."ORDERS" AT (TIMESTAMP => TO_TIMESTAMP_TZ(:MOMENT, 'YYYY-MM-DD HH24:MI:SS.FF3 TZH:TZM')) AS "T0"
    ) AS Q
    CROSS JOIN (
    SELECT 0, 'order_id_not_null', 'error', CAST(NULL AS DATE)
    UNION ALL SELECT 1, 'customer_id_not_null', 'error', CAST(NULL AS DATE)
    UNION ALL SELECT 2, 'ordered_at_not_null', 'error', CAST(NULL AS DATE)
    UNION ALL SELECT 3, 'ordered_at_finite', 'error', CAST(NULL AS DATE)
    UNION ALL SELECT 4, 'amount_not_null', 'error', CAST(NULL AS DATE)
    UNION ALL SELECT 5, 'amount_at_least_0', 'error', CAST(NULL AS DATE)
    UNION ALL SELECT 6, 'status_not_null', 'error', CAST(NULL AS DATE)
    UNION ALL SELECT 7, 'status_accepted_values', 'error', CAST(NULL AS DATE)
    UNION ALL SELECT 8, 'order_id_unique', 'error', CAST(NULL AS DATE)
    UNION ALL SELECT 9, 'status_spelling', 'error', CAST(NULL AS DATE)
    UNION ALL SELECT 10, 'status_compared_in_int_paid_orders', 'warn', CAST(NULL AS DATE)
    ) AS N (MARTS_N, CHECK_NAME, SEVERITY, ACKNOWLEDGED_UNTIL)
  ) AS C;
  INSERT INTO "DB1"."GOLD_CANDIDATES"."TOY_SHOP__CHECKS" ("RUN_ID", "DEPLOYMENT", "TABLE_NAME", "CHECK_NAME", "OUTCOME", "VIOLATIONS", "ROW_COUNT", "CONTENTS")
  SELECT :RUN_ID, 'bf024f3856ff4db4', 'reviews', CHECK_NAME,
    CASE WHEN VIOLATIONS <= 0 THEN 'pass' WHEN SEVERITY = 'error' THEN 'fail'
      WHEN :AS_OF <= ACKNOWLEDGED_UNTIL THEN 'acknowledged' ELSE 'warn' END,
    VIOLATIONS, ROW_COUNT, NULL
  FROM (
    SELECT N.*, CASE MARTS_N WHEN 0 THEN COALESCE("C0", 0) WHEN 1 THEN COALESCE("C1", 0) WHEN 2 THEN COALESCE("C2", 0) WHEN 3 THEN COALESCE("C3", 0) WHEN 4 THEN COALESCE("C4", 0) WHEN 5 THEN COALESCE("C5", 0) END AS VIOLATIONS, COALESCE("ROWS", 0) AS ROW_COUNT
    FROM (
      SELECT
        COUNT(*) AS "ROWS",
        SUM(CAST("T0"."CUSTOMER_ID" IS NULL AS INT)) AS "C0",
        SUM(CAST("T0"."STARS" IS NULL AS INT)) AS "C1",
        SUM(CAST("T0"."STARS" < 0 AS INT)) AS "C2",
        SUM(CAST("T0"."STARS" > 5 AS INT)) AS "C3",
        SUM(
          CAST((
            "T0"."STARS" = CAST('NaN' AS DOUBLE)
          )
          OR "T0"."STARS" IN (CAST('Inf' AS DOUBLE), CAST('-Inf' AS DOUBLE)) AS INT)
        ) AS "C4",
        COUNT("T0"."CUSTOMER_ID") - COUNT(DISTINCT "T0"."CUSTOMER_ID") AS "C5"
      FROM "DB1"."RAW"."REVIEWS" AT (TIMESTAMP => TO_TIMESTAMP_TZ(:MOMENT, 'YYYY-MM-DD HH24:MI:SS.FF3 TZH:TZM')) AS "T0"
    ) AS Q
    CROSS JOIN (
    SELECT 0, 'customer_id_not_null', 'error', CAST(NULL AS DATE)
    UNION ALL SELECT 1, 'stars_not_null', 'error', CAST(NULL AS DATE)
    UNION ALL SELECT 2, 'stars_at_least_0', 'error', CAST(NULL AS DATE)
    UNION ALL SELECT 3, 'stars_at_most_5', 'error', CAST(NULL AS DATE)
    UNION ALL SELECT 4, 'stars_finite', 'error', CAST(NULL AS DATE)
    UNION ALL SELECT 5, 'customer_id_unique', 'error', CAST(NULL AS DATE)
    ) AS N (MARTS_N, CHECK_NAME, SEVERITY, ACKNOWLEDGED_UNTIL)
  ) AS C;
  FOUND := (
    SELECT COUNT(*) FROM "DB1"."GOLD_CANDIDATES"."TOY_SHOP__CHECKS"
    WHERE "RUN_ID" = :RUN_ID AND "OUTCOME" = 'fail' AND "TABLE_NAME" IN ('customers', 'orders', 'reviews')
  );
  IF (FOUND > 0) THEN
    RAISE ERROR_4;
  END IF;
  RETURN 'done';
END;
$$;

CREATE OR REPLACE PROCEDURE "DB1"."GOLD_CANDIDATES"."TOY_SHOP__BUILD_INT_PAID_ORDERS"(GRAPH_RUN VARCHAR)
RETURNS VARCHAR
LANGUAGE SQL
COMMENT = '{"tool": "marts", "package": "toy_shop", "group": "default", "digest": "771c5f36d91f3c2a"}'
EXECUTE AS CALLER
AS
$$
DECLARE
  RUN_ID VARCHAR;
  AS_OF DATE;
  MOMENT VARCHAR;
  FOUND INT;
  ERROR_0 EXCEPTION (-20001, 'the run of this graph has not begun: run its root task');
  ERROR_1 EXCEPTION (-20002, 'a check does not hold: the table of runs names it');
BEGIN
  RUN_ID := (
    SELECT "RUN_ID" FROM "DB1"."GOLD_CANDIDATES"."TOY_SHOP__RUNS" WHERE "GRAPH_RUN" = :GRAPH_RUN
  );
  AS_OF := (
    SELECT "AS_OF" FROM "DB1"."GOLD_CANDIDATES"."TOY_SHOP__RUNS" WHERE "GRAPH_RUN" = :GRAPH_RUN
  );
  MOMENT := (
    SELECT "MOMENT" FROM "DB1"."GOLD_CANDIDATES"."TOY_SHOP__RUNS" WHERE "GRAPH_RUN" = :GRAPH_RUN
  );
  IF (RUN_ID IS NULL) THEN
    RAISE ERROR_0;
  END IF;
  DELETE FROM "DB1"."GOLD_CANDIDATES"."TOY_SHOP__CHECKS"
  WHERE "RUN_ID" = :RUN_ID AND (("TABLE_NAME" = 'int_paid_orders' AND "CHECK_NAME" IS NULL) OR ("TABLE_NAME" = 'int_paid_orders' AND "CHECK_NAME" = 'amount_at_least_0') OR ("TABLE_NAME" = 'int_paid_orders' AND "CHECK_NAME" = 'amount_not_null') OR ("TABLE_NAME" = 'int_paid_orders' AND "CHECK_NAME" = 'customer_id_not_null') OR ("TABLE_NAME" = 'int_paid_orders' AND "CHECK_NAME" = 'model_not_null') OR ("TABLE_NAME" = 'int_paid_orders' AND "CHECK_NAME" = 'not_empty') OR ("TABLE_NAME" = 'int_paid_orders' AND "CHECK_NAME" = 'order_id_not_null') OR ("TABLE_NAME" = 'int_paid_orders' AND "CHECK_NAME" = 'order_id_unique') OR ("TABLE_NAME" = 'int_paid_orders' AND "CHECK_NAME" = 'ordered_at_finite') OR ("TABLE_NAME" = 'int_paid_orders' AND "CHECK_NAME" = 'ordered_at_not_null'));
  CREATE OR REPLACE TRANSIENT TABLE "DB1"."GOLD_CANDIDATES"."INT_PAID_ORDERS__OF_TOY_SHOP"
  DATA_RETENTION_TIME_IN_DAYS = 0
  AS
  SELECT
    CAST("T0"."ORDER_ID" AS VARCHAR) AS "ORDER_ID",
    CAST("T0"."CUSTOMER_ID" AS VARCHAR) AS "CUSTOMER_ID",
    CAST("T0"."ORDERED_AT" AS TIMESTAMPNTZ) AS "ORDERED_AT",
    CAST(COALESCE("T0"."MODEL", 'parts') AS VARCHAR) AS "MODEL",
    CAST("T0"."AMOUNT" AS DECIMAL(18, 2)) AS "AMOUNT"
  FROM "DB1"."RAW"."ORDERS" AT (TIMESTAMP => TO_TIMESTAMP_TZ(:MOMENT, 'YYYY-MM-DD HH24:MI:SS.FF3 TZH:TZM')) AS "T0"
  WHERE
    "T0"."STATUS" = 'paid'
    AND "T0"."ORDERED_AT" < CAST(DATEADD(DAY, 1, :AS_OF) AS TIMESTAMPNTZ);
  INSERT INTO "DB1"."GOLD_CANDIDATES"."TOY_SHOP__CHECKS" ("RUN_ID", "DEPLOYMENT", "TABLE_NAME", "CHECK_NAME", "OUTCOME", "VIOLATIONS", "ROW_COUNT", "CONTENTS")
  SELECT :RUN_ID, 'bf024f3856ff4db4', 'int_paid_orders', NULL, NULL, NULL, COUNT(*), COUNT(*) || ' ' || HASH_AGG("ORDER_ID", "CUSTOMER_ID", "ORDERED_AT", "MODEL", "AMOUNT")
  FROM "DB1"."GOLD_CANDIDATES"."INT_PAID_ORDERS__OF_TOY_SHOP";
  INSERT INTO "DB1"."GOLD_CANDIDATES"."TOY_SHOP__CHECKS" ("RUN_ID", "DEPLOYMENT", "TABLE_NAME", "CHECK_NAME", "OUTCOME", "VIOLATIONS", "ROW_COUNT", "CONTENTS")
  SELECT :RUN_ID, 'bf024f3856ff4db4', 'int_paid_orders', CHECK_NAME,
    CASE WHEN VIOLATIONS <= 0 THEN 'pass' WHEN SEVERITY = 'error' THEN 'fail'
      WHEN :AS_OF <= ACKNOWLEDGED_UNTIL THEN 'acknowledged' ELSE 'warn' END,
    VIOLATIONS, ROW_COUNT, NULL
  FROM (
    SELECT N.*, CASE MARTS_N WHEN 0 THEN COALESCE("C0", 0) WHEN 1 THEN COALESCE("C1", 0) WHEN 2 THEN COALESCE("C2", 0) WHEN 3 THEN COALESCE("C3", 0) WHEN 4 THEN COALESCE("C4", 0) WHEN 5 THEN COALESCE("C5", 0) WHEN 6 THEN COALESCE("C6", 0) WHEN 7 THEN COALESCE("C7", 0) WHEN 8 THEN COALESCE("C8", 0) END AS VIOLATIONS, COALESCE("ROWS", 0) AS ROW_COUNT
    FROM (
      SELECT
        COUNT(*) AS "ROWS",
        SUM(CAST("T0"."ORDER_ID" IS NULL AS INT)) AS "C0",
        SUM(CAST("T0"."CUSTOMER_ID" IS NULL AS INT)) AS "C1",
        SUM(CAST("T0"."ORDERED_AT" IS NULL AS INT)) AS "C2",
        SUM(
          CAST((
            "T0"."ORDERED_AT" < TIMESTAMP_FROM_PARTS(1, 1, 1, 0, 0, 0, 0)
          )
          OR (
            "T0"."ORDERED_AT" > TIMESTAMP_FROM_PARTS(9999, 12, 31, 23, 59, 59, 999999000)
          ) AS INT)
        ) AS "C3",
        SUM(CAST("T0"."MODEL" IS NULL AS INT)) AS "C4",
        SUM(CAST("T0"."AMOUNT" IS NULL AS INT)) AS "C5",
        SUM(CAST("T0"."AMOUNT" < 0 AS INT)) AS "C6",
        COUNT("T0"."ORDER_ID") - COUNT(DISTINCT "T0"."ORDER_ID") AS "C7",
        IFF(COUNT(*) = 0, 1, 0) AS "C8"
      FROM "DB1"."GOLD_CANDIDATES"."INT_PAID_ORDERS__OF_TOY_SHOP" AS "T0"
    ) AS Q
    CROSS JOIN (
    SELECT 0, 'order_id_not_null', 'error', CAST(NULL AS DATE)
    UNION ALL SELECT 1, 'customer_id_not_null', 'error', CAST(NULL AS DATE)
    UNION ALL SELECT 2, 'ordered_at_not_null', 'error', CAST(NULL AS DATE)
    UNION ALL SELECT 3, 'ordered_at_finite', 'error', CAST(NULL AS DATE)
    UNION ALL SELECT 4, 'model_not_null', 'error', CAST(NULL AS DATE)
    UNION ALL SELECT 5, 'amount_not_null', 'error', CAST(NULL AS DATE)
    UNION ALL SELECT 6, 'amount_at_least_0', 'error', CAST(NULL AS DATE)
    UNION ALL SELECT 7, 'order_id_unique', 'error', CAST(NULL AS DATE)
    UNION ALL SELECT 8, 'not_empty', 'warn', CAST(NULL AS DATE)
    ) AS N (MARTS_N, CHECK_NAME, SEVERITY, ACKNOWLEDGED_UNTIL)
  ) AS C;
  FOUND := (
    SELECT COUNT(*) FROM "DB1"."GOLD_CANDIDATES"."TOY_SHOP__CHECKS"
    WHERE "RUN_ID" = :RUN_ID AND "OUTCOME" = 'fail' AND "TABLE_NAME" IN ('int_paid_orders')
  );
  IF (FOUND > 0) THEN
    RAISE ERROR_1;
  END IF;
  RETURN 'done';
END;
$$;

CREATE OR REPLACE PROCEDURE "DB1"."GOLD_CANDIDATES"."TOY_SHOP__BUILD_CUSTOMER_TOTALS"(GRAPH_RUN VARCHAR)
RETURNS VARCHAR
LANGUAGE SQL
COMMENT = '{"tool": "marts", "package": "toy_shop", "group": "default", "digest": "51e4c8526ffbf27d"}'
EXECUTE AS CALLER
AS
$$
DECLARE
  RUN_ID VARCHAR;
  AS_OF DATE;
  MOMENT VARCHAR;
  FOUND INT;
  ERROR_0 EXCEPTION (-20001, 'the run of this graph has not begun: run its root task');
  ERROR_1 EXCEPTION (-20002, 'a check does not hold: the table of runs names it');
BEGIN
  RUN_ID := (
    SELECT "RUN_ID" FROM "DB1"."GOLD_CANDIDATES"."TOY_SHOP__RUNS" WHERE "GRAPH_RUN" = :GRAPH_RUN
  );
  AS_OF := (
    SELECT "AS_OF" FROM "DB1"."GOLD_CANDIDATES"."TOY_SHOP__RUNS" WHERE "GRAPH_RUN" = :GRAPH_RUN
  );
  MOMENT := (
    SELECT "MOMENT" FROM "DB1"."GOLD_CANDIDATES"."TOY_SHOP__RUNS" WHERE "GRAPH_RUN" = :GRAPH_RUN
  );
  IF (RUN_ID IS NULL) THEN
    RAISE ERROR_0;
  END IF;
  DELETE FROM "DB1"."GOLD_CANDIDATES"."TOY_SHOP__CHECKS"
  WHERE "RUN_ID" = :RUN_ID AND (("TABLE_NAME" = 'customer_totals' AND "CHECK_NAME" IS NULL) OR ("TABLE_NAME" = 'customer_totals' AND "CHECK_NAME" = 'average_order_at_least_0') OR ("TABLE_NAME" = 'customer_totals' AND "CHECK_NAME" = 'average_order_finite') OR ("TABLE_NAME" = 'customer_totals' AND "CHECK_NAME" = 'average_within_spend') OR ("TABLE_NAME" = 'customer_totals' AND "CHECK_NAME" = 'customer_id_in_customers') OR ("TABLE_NAME" = 'customer_totals' AND "CHECK_NAME" = 'customer_id_not_null') OR ("TABLE_NAME" = 'customer_totals' AND "CHECK_NAME" = 'customer_id_unique') OR ("TABLE_NAME" = 'customer_totals' AND "CHECK_NAME" = 'every_active_customer') OR ("TABLE_NAME" = 'customer_totals' AND "CHECK_NAME" = 'has_stars') OR ("TABLE_NAME" = 'customer_totals' AND "CHECK_NAME" = 'last_order_on_finite') OR ("TABLE_NAME" = 'customer_totals' AND "CHECK_NAME" = 'name_not_null') OR ("TABLE_NAME" = 'customer_totals' AND "CHECK_NAME" = 'not_empty') OR ("TABLE_NAME" = 'customer_totals' AND "CHECK_NAME" = 'orders_paid_at_least_0') OR ("TABLE_NAME" = 'customer_totals' AND "CHECK_NAME" = 'orders_paid_not_null') OR ("TABLE_NAME" = 'customer_totals' AND "CHECK_NAME" = 'spend_at_least_0') OR ("TABLE_NAME" = 'customer_totals' AND "CHECK_NAME" = 'spend_not_null') OR ("TABLE_NAME" = 'customer_totals' AND "CHECK_NAME" = 'stars_at_least_0') OR ("TABLE_NAME" = 'customer_totals' AND "CHECK_NAME" = 'stars_at_most_5') OR ("TABLE_NAME" = 'customer_totals' AND "CHECK_NAME" = 'stars_finite') OR ("TABLE_NAME" = 'customer_totals' AND "CHECK_NAME" = 'tier_accepted_values') OR ("TABLE_NAME" = 'customer_totals' AND "CHECK_NAME" = 'tier_not_null'));
  CREATE OR REPLACE TRANSIENT TABLE "DB1"."GOLD_CANDIDATES"."CUSTOMER_TOTALS__OF_TOY_SHOP"
  DATA_RETENTION_TIME_IN_DAYS = 0
  AS
  SELECT
    CAST("T8"."CUSTOMER_ID" AS VARCHAR) AS "CUSTOMER_ID",
    CAST("T8"."NAME" AS VARCHAR) AS "NAME",
    CAST("T8"."CITY" AS VARCHAR) AS "CITY",
    CAST(COALESCE("T8"."ORDERS_PAID", 0) AS BIGINT) AS "ORDERS_PAID",
    CAST(COALESCE("T8"."SPEND", 0) AS DECIMAL(18, 2)) AS "SPEND",
    CAST("T8"."AVERAGE_ORDER" AS DOUBLE) AS "AVERAGE_ORDER",
    CAST("T8"."STARS" AS DOUBLE) AS "STARS",
    CAST("T8"."LAST_ORDER_ON" AS DATE) AS "LAST_ORDER_ON",
    CAST(CASE WHEN "T8"."SPEND" >= 1000 THEN 'gold' ELSE 'plain' END AS VARCHAR) AS "TIER"
  FROM (
    SELECT
      "T5"."CUSTOMER_ID",
      "T5"."NAME",
      "T5"."CITY",
      "T5"."JOINED_ON",
      "T5"."ACTIVE",
      "T7"."CUSTOMER_ID" AS "CUSTOMER_ID_RIGHT",
      "T7"."ORDERS_PAID",
      "T7"."SPEND",
      "T7"."AVERAGE_ORDER",
      "T7"."LAST_ORDER_ON",
      "T3"."CUSTOMER_ID" AS "CUSTOMER_ID_OF_REVIEW",
      "T3"."STARS"
    FROM (
      SELECT
        *
      FROM "DB1"."RAW"."CUSTOMERS" AT (TIMESTAMP => TO_TIMESTAMP_TZ(:MOMENT, 'YYYY-MM-DD HH24:MI:SS.FF3 TZH:TZM')) AS "T0"
      WHERE
        "T0"."ACTIVE" AND "T0"."JOINED_ON" <= :AS_OF
    ) AS "T5"
    LEFT OUTER JOIN (
      SELECT
        "T2"."CUSTOMER_ID",
        COUNT(*) AS "ORDERS_PAID",
        SUM("T2"."AMOUNT") AS "SPEND",
        AVG(CAST("T2"."AMOUNT" AS DOUBLE)) AS "AVERAGE_ORDER",
        MAX("T2"."ORDERED_AT") AS "LAST_ORDER_ON"
      FROM "DB1"."GOLD_CANDIDATES"."INT_PAID_ORDERS__OF_TOY_SHOP" AS "T2"
      GROUP BY
        1
    ) AS "T7"
      ON "T5"."CUSTOMER_ID" = "T7"."CUSTOMER_ID"
    LEFT OUTER JOIN "DB1"."RAW"."REVIEWS" AT (TIMESTAMP => TO_TIMESTAMP_TZ(:MOMENT, 'YYYY-MM-DD HH24:MI:SS.FF3 TZH:TZM')) AS "T3"
      ON "T5"."CUSTOMER_ID" = "T3"."CUSTOMER_ID"
  ) AS "T8";
  INSERT INTO "DB1"."GOLD_CANDIDATES"."TOY_SHOP__CHECKS" ("RUN_ID", "DEPLOYMENT", "TABLE_NAME", "CHECK_NAME", "OUTCOME", "VIOLATIONS", "ROW_COUNT", "CONTENTS")
  SELECT :RUN_ID, 'bf024f3856ff4db4', 'customer_totals', NULL, NULL, NULL, COUNT(*), COUNT(*) || ' ' || HASH_AGG("CUSTOMER_ID", "NAME", "CITY", "ORDERS_PAID", "SPEND", "AVERAGE_ORDER", "STARS", "LAST_ORDER_ON", "TIER")
  FROM "DB1"."GOLD_CANDIDATES"."CUSTOMER_TOTALS__OF_TOY_SHOP";
  INSERT INTO "DB1"."GOLD_CANDIDATES"."TOY_SHOP__CHECKS" ("RUN_ID", "DEPLOYMENT", "TABLE_NAME", "CHECK_NAME", "OUTCOME", "VIOLATIONS", "ROW_COUNT", "CONTENTS")
  SELECT :RUN_ID, 'bf024f3856ff4db4', 'customer_totals', CHECK_NAME,
    CASE WHEN VIOLATIONS <= CASE MARTS_N WHEN 0 THEN 0 WHEN 1 THEN 0 WHEN 2 THEN 0 WHEN 3 THEN 0 WHEN 4 THEN 0 WHEN 5 THEN 0 WHEN 6 THEN 0 WHEN 7 THEN 0 WHEN 8 THEN 0 WHEN 9 THEN 0 WHEN 10 THEN 0 WHEN 11 THEN 0 WHEN 12 THEN 0 WHEN 13 THEN 0 WHEN 14 THEN 0 WHEN 15 THEN 0 WHEN 16 THEN 0 WHEN 17 THEN 100 END THEN 'pass' WHEN SEVERITY = 'error' THEN 'fail'
      WHEN :AS_OF <= ACKNOWLEDGED_UNTIL THEN 'acknowledged' ELSE 'warn' END,
    VIOLATIONS, ROW_COUNT, NULL
  FROM (
    SELECT N.*, CASE MARTS_N WHEN 0 THEN COALESCE("C0", 0) WHEN 1 THEN COALESCE("C1", 0) WHEN 2 THEN COALESCE("C2", 0) WHEN 3 THEN COALESCE("C3", 0) WHEN 4 THEN COALESCE("C4", 0) WHEN 5 THEN COALESCE("C5", 0) WHEN 6 THEN COALESCE("C6", 0) WHEN 7 THEN COALESCE("C7", 0) WHEN 8 THEN COALESCE("C8", 0) WHEN 9 THEN COALESCE("C9", 0) WHEN 10 THEN COALESCE("C10", 0) WHEN 11 THEN COALESCE("C11", 0) WHEN 12 THEN COALESCE("C12", 0) WHEN 13 THEN COALESCE("C13", 0) WHEN 14 THEN COALESCE("C14", 0) WHEN 15 THEN COALESCE("C15", 0) WHEN 16 THEN COALESCE("C16", 0) WHEN 17 THEN COALESCE("C17", 0) END AS VIOLATIONS, COALESCE("ROWS", 0) AS ROW_COUNT
    FROM (
      SELECT
        COUNT(*) AS "ROWS",
        SUM(CAST("T0"."CUSTOMER_ID" IS NULL AS INT)) AS "C0",
        SUM(CAST("T0"."NAME" IS NULL AS INT)) AS "C1",
        SUM(CAST("T0"."ORDERS_PAID" IS NULL AS INT)) AS "C2",
        SUM(CAST("T0"."ORDERS_PAID" < 0 AS INT)) AS "C3",
        SUM(CAST("T0"."SPEND" IS NULL AS INT)) AS "C4",
        SUM(CAST("T0"."SPEND" < 0 AS INT)) AS "C5",
        SUM(CAST("T0"."AVERAGE_ORDER" < 0 AS INT)) AS "C6",
        SUM(
          CAST((
            "T0"."AVERAGE_ORDER" = CAST('NaN' AS DOUBLE)
          )
          OR "T0"."AVERAGE_ORDER" IN (CAST('Inf' AS DOUBLE), CAST('-Inf' AS DOUBLE)) AS INT)
        ) AS "C7",
        SUM(CAST("T0"."STARS" < 0 AS INT)) AS "C8",
        SUM(CAST("T0"."STARS" > 5 AS INT)) AS "C9",
        SUM(
          CAST((
            "T0"."STARS" = CAST('NaN' AS DOUBLE)
          )
          OR "T0"."STARS" IN (CAST('Inf' AS DOUBLE), CAST('-Inf' AS DOUBLE)) AS INT)
        ) AS "C10",
        SUM(
          CAST((
            "T0"."LAST_ORDER_ON" < DATE_FROM_PARTS(1, 1, 1)
          )
          OR (
            "T0"."LAST_ORDER_ON" > DATE_FROM_PARTS(9999, 12, 31)
          ) AS INT)
        ) AS "C11",
        SUM(CAST("T0"."TIER" IS NULL AS INT)) AS "C12",
        SUM(CAST(NOT (
          "T0"."TIER" IN ('gold', 'plain')
        ) AS INT)) AS "C13",
        COUNT("T0"."CUSTOMER_ID") - COUNT(DISTINCT "T0"."CUSTOMER_ID") AS "C14",
        IFF(COUNT(*) = 0, 1, 0) AS "C15",
        SUM(
          CAST((
            "T0"."ORDERS_PAID" > 1
          )
          AND (
            "T0"."AVERAGE_ORDER" > CAST("T0"."SPEND" AS DOUBLE)
          ) AS INT)
        ) AS "C16",
        SUM(CAST("T0"."STARS" IS NULL AS INT)) AS "C17"
      FROM "DB1"."GOLD_CANDIDATES"."CUSTOMER_TOTALS__OF_TOY_SHOP" AS "T0"
    ) AS Q
    CROSS JOIN (
    SELECT 0, 'customer_id_not_null', 'error', CAST(NULL AS DATE)
    UNION ALL SELECT 1, 'name_not_null', 'error', CAST(NULL AS DATE)
    UNION ALL SELECT 2, 'orders_paid_not_null', 'error', CAST(NULL AS DATE)
    UNION ALL SELECT 3, 'orders_paid_at_least_0', 'error', CAST(NULL AS DATE)
    UNION ALL SELECT 4, 'spend_not_null', 'error', CAST(NULL AS DATE)
    UNION ALL SELECT 5, 'spend_at_least_0', 'error', CAST(NULL AS DATE)
    UNION ALL SELECT 6, 'average_order_at_least_0', 'error', CAST(NULL AS DATE)
    UNION ALL SELECT 7, 'average_order_finite', 'error', CAST(NULL AS DATE)
    UNION ALL SELECT 8, 'stars_at_least_0', 'error', CAST(NULL AS DATE)
    UNION ALL SELECT 9, 'stars_at_most_5', 'error', CAST(NULL AS DATE)
    UNION ALL SELECT 10, 'stars_finite', 'error', CAST(NULL AS DATE)
    UNION ALL SELECT 11, 'last_order_on_finite', 'error', CAST(NULL AS DATE)
    UNION ALL SELECT 12, 'tier_not_null', 'error', CAST(NULL AS DATE)
    UNION ALL SELECT 13, 'tier_accepted_values', 'error', CAST(NULL AS DATE)
    UNION ALL SELECT 14, 'customer_id_unique', 'error', CAST(NULL AS DATE)
    UNION ALL SELECT 15, 'not_empty', 'warn', CAST(NULL AS DATE)
    UNION ALL SELECT 16, 'average_within_spend', 'error', CAST(NULL AS DATE)
    UNION ALL SELECT 17, 'has_stars', 'warn', CAST(NULL AS DATE)
    ) AS N (MARTS_N, CHECK_NAME, SEVERITY, ACKNOWLEDGED_UNTIL)
  ) AS C;
  INSERT INTO "DB1"."GOLD_CANDIDATES"."TOY_SHOP__CHECKS" ("RUN_ID", "DEPLOYMENT", "TABLE_NAME", "CHECK_NAME", "OUTCOME", "VIOLATIONS", "ROW_COUNT", "CONTENTS")
  SELECT :RUN_ID, 'bf024f3856ff4db4', 'customer_totals', CHECK_NAME,
    CASE WHEN VIOLATIONS <= 0 THEN 'pass' WHEN SEVERITY = 'error' THEN 'fail'
      WHEN :AS_OF <= ACKNOWLEDGED_UNTIL THEN 'acknowledged' ELSE 'warn' END,
    VIOLATIONS, ROW_COUNT, NULL
  FROM (
    SELECT N.*, COALESCE("C0", 0) AS VIOLATIONS, CAST(NULL AS INT) AS ROW_COUNT
    FROM (
      SELECT
        SUM("T8"."ROWS") AS "C0"
      FROM (
        SELECT
          *
        FROM (
          SELECT
            "T6"."CUSTOMER_ID",
            "T6"."ROWS",
            "T4"."KNOWN_VALUE"
          FROM (
            SELECT
              "T3"."CUSTOMER_ID",
              COUNT(*) AS "ROWS"
            FROM (
              SELECT
                *
              FROM "DB1"."GOLD_CANDIDATES"."CUSTOMER_TOTALS__OF_TOY_SHOP" AS "T0"
              WHERE
                "T0"."CUSTOMER_ID" IS NOT NULL
            ) AS "T3"
            GROUP BY
              1
          ) AS "T6"
          LEFT OUTER JOIN (
            SELECT DISTINCT
              "T1"."CUSTOMER_ID" AS "KNOWN_VALUE"
            FROM "DB1"."RAW"."CUSTOMERS" AT (TIMESTAMP => TO_TIMESTAMP_TZ(:MOMENT, 'YYYY-MM-DD HH24:MI:SS.FF3 TZH:TZM')) AS "T1"
            WHERE
              "T1"."ACTIVE"
          ) AS "T4"
            ON "T6"."CUSTOMER_ID" = "T4"."KNOWN_VALUE"
        ) AS "T7"
        WHERE
          "T7"."KNOWN_VALUE" IS NULL
      ) AS "T8"
    ) AS Q
    CROSS JOIN (
    SELECT 0, 'customer_id_in_customers', 'error', CAST(NULL AS DATE)
    ) AS N (MARTS_N, CHECK_NAME, SEVERITY, ACKNOWLEDGED_UNTIL)
  ) AS C;
  INSERT INTO "DB1"."GOLD_CANDIDATES"."TOY_SHOP__CHECKS" ("RUN_ID", "DEPLOYMENT", "TABLE_NAME", "CHECK_NAME", "OUTCOME", "VIOLATIONS", "ROW_COUNT", "CONTENTS")
  SELECT :RUN_ID, 'bf024f3856ff4db4', 'customer_totals', CHECK_NAME,
    CASE WHEN VIOLATIONS <= 0 THEN 'pass' WHEN SEVERITY = 'error' THEN 'fail'
      WHEN :AS_OF <= ACKNOWLEDGED_UNTIL THEN 'acknowledged' ELSE 'warn' END,
    VIOLATIONS, ROW_COUNT, NULL
  FROM (
    SELECT N.*, COALESCE("C0", 0) AS VIOLATIONS, CAST(NULL AS INT) AS ROW_COUNT
    FROM (
      SELECT
        COUNT(*) AS "C0"
      FROM (
        SELECT
          "T4"."CUSTOMER_ID"
        FROM (
          SELECT
            *
          FROM (
            SELECT
              *
            FROM "DB1"."RAW"."CUSTOMERS" AT (TIMESTAMP => TO_TIMESTAMP_TZ(:MOMENT, 'YYYY-MM-DD HH24:MI:SS.FF3 TZH:TZM')) AS "T0"
            WHERE
              "T0"."ACTIVE" AND "T0"."JOINED_ON" <= :AS_OF
          ) AS "T3"
          WHERE
            NOT (
              "T3"."CUSTOMER_ID" IN (
                SELECT
                  "T1"."CUSTOMER_ID"
                FROM "DB1"."GOLD_CANDIDATES"."CUSTOMER_TOTALS__OF_TOY_SHOP" AS "T1"
              )
            )
        ) AS "T4"
      ) AS "T5"
    ) AS Q
    CROSS JOIN (
    SELECT 0, 'every_active_customer', 'error', CAST(NULL AS DATE)
    ) AS N (MARTS_N, CHECK_NAME, SEVERITY, ACKNOWLEDGED_UNTIL)
  ) AS C;
  FOUND := (
    SELECT COUNT(*) FROM "DB1"."GOLD_CANDIDATES"."TOY_SHOP__CHECKS"
    WHERE "RUN_ID" = :RUN_ID AND "OUTCOME" = 'fail' AND "TABLE_NAME" IN ('customer_totals')
  );
  IF (FOUND > 0) THEN
    RAISE ERROR_1;
  END IF;
  RETURN 'done';
END;
$$;

CREATE OR REPLACE PROCEDURE "DB1"."GOLD_CANDIDATES"."TOY_SHOP__BUILD_MODEL_SALES"(GRAPH_RUN VARCHAR)
RETURNS VARCHAR
LANGUAGE SQL
COMMENT = '{"tool": "marts", "package": "toy_shop", "group": "default", "digest": "5514e0a42a9819cb"}'
EXECUTE AS CALLER
AS
$$
DECLARE
  RUN_ID VARCHAR;
  AS_OF DATE;
  MOMENT VARCHAR;
  FOUND INT;
  ERROR_0 EXCEPTION (-20001, 'the run of this graph has not begun: run its root task');
  ERROR_1 EXCEPTION (-20002, 'a check does not hold: the table of runs names it');
BEGIN
  RUN_ID := (
    SELECT "RUN_ID" FROM "DB1"."GOLD_CANDIDATES"."TOY_SHOP__RUNS" WHERE "GRAPH_RUN" = :GRAPH_RUN
  );
  AS_OF := (
    SELECT "AS_OF" FROM "DB1"."GOLD_CANDIDATES"."TOY_SHOP__RUNS" WHERE "GRAPH_RUN" = :GRAPH_RUN
  );
  MOMENT := (
    SELECT "MOMENT" FROM "DB1"."GOLD_CANDIDATES"."TOY_SHOP__RUNS" WHERE "GRAPH_RUN" = :GRAPH_RUN
  );
  IF (RUN_ID IS NULL) THEN
    RAISE ERROR_0;
  END IF;
  DELETE FROM "DB1"."GOLD_CANDIDATES"."TOY_SHOP__CHECKS"
  WHERE "RUN_ID" = :RUN_ID AND (("TABLE_NAME" = 'model_sales' AND "CHECK_NAME" IS NULL) OR ("TABLE_NAME" = 'model_sales' AND "CHECK_NAME" = 'model_not_null') OR ("TABLE_NAME" = 'model_sales' AND "CHECK_NAME" = 'month_and_model_unique') OR ("TABLE_NAME" = 'model_sales' AND "CHECK_NAME" = 'month_finite') OR ("TABLE_NAME" = 'model_sales' AND "CHECK_NAME" = 'month_not_null') OR ("TABLE_NAME" = 'model_sales' AND "CHECK_NAME" = 'no_more_than_was_paid') OR ("TABLE_NAME" = 'model_sales' AND "CHECK_NAME" = 'not_empty') OR ("TABLE_NAME" = 'model_sales' AND "CHECK_NAME" = 'revenue_not_null') OR ("TABLE_NAME" = 'model_sales' AND "CHECK_NAME" = 'sold_at_least_1') OR ("TABLE_NAME" = 'model_sales' AND "CHECK_NAME" = 'sold_not_null') OR ("TABLE_NAME" = 'model_sales' AND "CHECK_NAME" = 'some_revenue'));
  CREATE OR REPLACE TRANSIENT TABLE "DB1"."GOLD_CANDIDATES"."MODEL_SALES__OF_TOY_SHOP"
  DATA_RETENTION_TIME_IN_DAYS = 0
  AS
  SELECT
    CAST("T1"."MONTH" AS DATE) AS "MONTH",
    CAST("T1"."MODEL" AS VARCHAR) AS "MODEL",
    CAST("T1"."SOLD" AS BIGINT) AS "SOLD",
    CAST("T1"."REVENUE" AS DECIMAL(18, 2)) AS "REVENUE"
  FROM (
    SELECT
      "T0"."MODEL",
      DATE_TRUNC('MONTH', "T0"."ORDERED_AT") AS "MONTH",
      COUNT(*) AS "SOLD",
      SUM("T0"."AMOUNT") AS "REVENUE"
    FROM "DB1"."GOLD_CANDIDATES"."INT_PAID_ORDERS__OF_TOY_SHOP" AS "T0"
    GROUP BY
      1,
      2
  ) AS "T1";
  INSERT INTO "DB1"."GOLD_CANDIDATES"."TOY_SHOP__CHECKS" ("RUN_ID", "DEPLOYMENT", "TABLE_NAME", "CHECK_NAME", "OUTCOME", "VIOLATIONS", "ROW_COUNT", "CONTENTS")
  SELECT :RUN_ID, 'bf024f3856ff4db4', 'model_sales', NULL, NULL, NULL, COUNT(*), COUNT(*) || ' ' || HASH_AGG("MONTH", "MODEL", "SOLD", "REVENUE")
  FROM "DB1"."GOLD_CANDIDATES"."MODEL_SALES__OF_TOY_SHOP";
  INSERT INTO "DB1"."GOLD_CANDIDATES"."TOY_SHOP__CHECKS" ("RUN_ID", "DEPLOYMENT", "TABLE_NAME", "CHECK_NAME", "OUTCOME", "VIOLATIONS", "ROW_COUNT", "CONTENTS")
  SELECT :RUN_ID, 'bf024f3856ff4db4', 'model_sales', CHECK_NAME,
    CASE WHEN VIOLATIONS <= 0 THEN 'pass' WHEN SEVERITY = 'error' THEN 'fail'
      WHEN :AS_OF <= ACKNOWLEDGED_UNTIL THEN 'acknowledged' ELSE 'warn' END,
    VIOLATIONS, ROW_COUNT, NULL
  FROM (
    SELECT N.*, CASE MARTS_N WHEN 0 THEN COALESCE("C0", 0) WHEN 1 THEN COALESCE("C1", 0) WHEN 2 THEN COALESCE("C2", 0) WHEN 3 THEN COALESCE("C3", 0) WHEN 4 THEN COALESCE("C4", 0) WHEN 5 THEN COALESCE("C5", 0) WHEN 6 THEN COALESCE("C6", 0) END AS VIOLATIONS, COALESCE("ROWS", 0) AS ROW_COUNT
    FROM (
      SELECT
        COUNT(*) AS "ROWS",
        SUM(CAST("T0"."MONTH" IS NULL AS INT)) AS "C0",
        SUM(
          CAST((
            "T0"."MONTH" < DATE_FROM_PARTS(1, 1, 1)
          )
          OR (
            "T0"."MONTH" > DATE_FROM_PARTS(9999, 12, 31)
          ) AS INT)
        ) AS "C1",
        SUM(CAST("T0"."MODEL" IS NULL AS INT)) AS "C2",
        SUM(CAST("T0"."SOLD" IS NULL AS INT)) AS "C3",
        SUM(CAST("T0"."SOLD" < 1 AS INT)) AS "C4",
        SUM(CAST("T0"."REVENUE" IS NULL AS INT)) AS "C5",
        IFF(COUNT(*) = 0, 1, 0) AS "C6"
      FROM "DB1"."GOLD_CANDIDATES"."MODEL_SALES__OF_TOY_SHOP" AS "T0"
    ) AS Q
    CROSS JOIN (
    SELECT 0, 'month_not_null', 'error', CAST(NULL AS DATE)
    UNION ALL SELECT 1, 'month_finite', 'error', CAST(NULL AS DATE)
    UNION ALL SELECT 2, 'model_not_null', 'error', CAST(NULL AS DATE)
    UNION ALL SELECT 3, 'sold_not_null', 'error', CAST(NULL AS DATE)
    UNION ALL SELECT 4, 'sold_at_least_1', 'error', CAST(NULL AS DATE)
    UNION ALL SELECT 5, 'revenue_not_null', 'error', CAST(NULL AS DATE)
    UNION ALL SELECT 6, 'not_empty', 'warn', CAST(NULL AS DATE)
    ) AS N (MARTS_N, CHECK_NAME, SEVERITY, ACKNOWLEDGED_UNTIL)
  ) AS C;
  INSERT INTO "DB1"."GOLD_CANDIDATES"."TOY_SHOP__CHECKS" ("RUN_ID", "DEPLOYMENT", "TABLE_NAME", "CHECK_NAME", "OUTCOME", "VIOLATIONS", "ROW_COUNT", "CONTENTS")
  SELECT :RUN_ID, 'bf024f3856ff4db4', 'model_sales', CHECK_NAME,
    CASE WHEN VIOLATIONS <= 0 THEN 'pass' WHEN SEVERITY = 'error' THEN 'fail'
      WHEN :AS_OF <= ACKNOWLEDGED_UNTIL THEN 'acknowledged' ELSE 'warn' END,
    VIOLATIONS, ROW_COUNT, NULL
  FROM (
    SELECT N.*, COALESCE("C0", 0) AS VIOLATIONS, CAST(NULL AS INT) AS ROW_COUNT
    FROM (
      SELECT
        SUM("T3"."ROWS" - 1) AS "C0"
      FROM (
        SELECT
          *
        FROM (
          SELECT
            "T1"."MONTH",
            "T1"."MODEL",
            COUNT(*) AS "ROWS"
          FROM (
            SELECT
              *
            FROM "DB1"."GOLD_CANDIDATES"."MODEL_SALES__OF_TOY_SHOP" AS "T0"
            WHERE
              "T0"."MONTH" IS NOT NULL AND "T0"."MODEL" IS NOT NULL
          ) AS "T1"
          GROUP BY
            1,
            2
        ) AS "T2"
        WHERE
          "T2"."ROWS" > 1
      ) AS "T3"
    ) AS Q
    CROSS JOIN (
    SELECT 0, 'month_and_model_unique', 'error', CAST(NULL AS DATE)
    ) AS N (MARTS_N, CHECK_NAME, SEVERITY, ACKNOWLEDGED_UNTIL)
  ) AS C;
  INSERT INTO "DB1"."GOLD_CANDIDATES"."TOY_SHOP__CHECKS" ("RUN_ID", "DEPLOYMENT", "TABLE_NAME", "CHECK_NAME", "OUTCOME", "VIOLATIONS", "ROW_COUNT", "CONTENTS")
  SELECT :RUN_ID, 'bf024f3856ff4db4', 'model_sales', CHECK_NAME,
    CASE WHEN VIOLATIONS <= 0 THEN 'pass' WHEN SEVERITY = 'error' THEN 'fail'
      WHEN :AS_OF <= ACKNOWLEDGED_UNTIL THEN 'acknowledged' ELSE 'warn' END,
    VIOLATIONS, ROW_COUNT, NULL
  FROM (
    SELECT N.*, COALESCE("C0", 0) AS VIOLATIONS, CAST(NULL AS INT) AS ROW_COUNT
    FROM (
      SELECT
        COUNT(*) AS "C0"
      FROM (
        SELECT
          "T6"."REVENUE"
        FROM (
          SELECT
            "T4"."REVENUE",
            "T5"."PAID"
          FROM (
            SELECT
              SUM("T0"."REVENUE") AS "REVENUE"
            FROM "DB1"."GOLD_CANDIDATES"."MODEL_SALES__OF_TOY_SHOP" AS "T0"
          ) AS "T4"
          CROSS JOIN (
            SELECT
              SUM("T1"."AMOUNT") AS "PAID"
            FROM "DB1"."GOLD_CANDIDATES"."INT_PAID_ORDERS__OF_TOY_SHOP" AS "T1"
          ) AS "T5"
        ) AS "T6"
        WHERE
          "T6"."REVENUE" > "T6"."PAID"
      ) AS "T7"
    ) AS Q
    CROSS JOIN (
    SELECT 0, 'no_more_than_was_paid', 'error', CAST(NULL AS DATE)
    ) AS N (MARTS_N, CHECK_NAME, SEVERITY, ACKNOWLEDGED_UNTIL)
  ) AS C;
  INSERT INTO "DB1"."GOLD_CANDIDATES"."TOY_SHOP__CHECKS" ("RUN_ID", "DEPLOYMENT", "TABLE_NAME", "CHECK_NAME", "OUTCOME", "VIOLATIONS", "ROW_COUNT", "CONTENTS")
  SELECT :RUN_ID, 'bf024f3856ff4db4', 'model_sales', CHECK_NAME,
    CASE WHEN VIOLATIONS <= 0 THEN 'pass' WHEN SEVERITY = 'error' THEN 'fail'
      WHEN :AS_OF <= ACKNOWLEDGED_UNTIL THEN 'acknowledged' ELSE 'warn' END,
    VIOLATIONS, ROW_COUNT, NULL
  FROM (
    SELECT N.*, COALESCE("C0", 0) AS VIOLATIONS, CAST(NULL AS INT) AS ROW_COUNT
    FROM (
      SELECT
        COUNT(*) AS "C0"
      FROM (
        SELECT
          *
        FROM (
          SELECT
            TRUE AS "HOLDS_NOT"
        ) AS "T1"
        WHERE
          (
            SELECT
              SUM("T0"."REVENUE") AS "SUM(REVENUE)"
            FROM "DB1"."GOLD_CANDIDATES"."MODEL_SALES__OF_TOY_SHOP" AS "T0"
          ) <= 0
      ) AS "T3"
    ) AS Q
    CROSS JOIN (
    SELECT 0, 'some_revenue', 'error', CAST(NULL AS DATE)
    ) AS N (MARTS_N, CHECK_NAME, SEVERITY, ACKNOWLEDGED_UNTIL)
  ) AS C;
  FOUND := (
    SELECT COUNT(*) FROM "DB1"."GOLD_CANDIDATES"."TOY_SHOP__CHECKS"
    WHERE "RUN_ID" = :RUN_ID AND "OUTCOME" = 'fail' AND "TABLE_NAME" IN ('model_sales')
  );
  IF (FOUND > 0) THEN
    RAISE ERROR_1;
  END IF;
  RETURN 'done';
END;
$$;

CREATE OR REPLACE PROCEDURE "DB1"."GOLD_CANDIDATES"."TOY_SHOP__BUILD_SHOP_OVERVIEW"(GRAPH_RUN VARCHAR)
RETURNS VARCHAR
LANGUAGE SQL
COMMENT = '{"tool": "marts", "package": "toy_shop", "group": "default", "digest": "50b9a2b1e273f495"}'
EXECUTE AS CALLER
AS
$$
DECLARE
  RUN_ID VARCHAR;
  AS_OF DATE;
  MOMENT VARCHAR;
  FOUND INT;
  ERROR_0 EXCEPTION (-20001, 'the run of this graph has not begun: run its root task');
  ERROR_1 EXCEPTION (-20002, 'a check does not hold: the table of runs names it');
BEGIN
  RUN_ID := (
    SELECT "RUN_ID" FROM "DB1"."GOLD_CANDIDATES"."TOY_SHOP__RUNS" WHERE "GRAPH_RUN" = :GRAPH_RUN
  );
  AS_OF := (
    SELECT "AS_OF" FROM "DB1"."GOLD_CANDIDATES"."TOY_SHOP__RUNS" WHERE "GRAPH_RUN" = :GRAPH_RUN
  );
  MOMENT := (
    SELECT "MOMENT" FROM "DB1"."GOLD_CANDIDATES"."TOY_SHOP__RUNS" WHERE "GRAPH_RUN" = :GRAPH_RUN
  );
  IF (RUN_ID IS NULL) THEN
    RAISE ERROR_0;
  END IF;
  DELETE FROM "DB1"."GOLD_CANDIDATES"."TOY_SHOP__CHECKS"
  WHERE "RUN_ID" = :RUN_ID AND (("TABLE_NAME" = 'shop_overview' AND "CHECK_NAME" IS NULL) OR ("TABLE_NAME" = 'shop_overview' AND "CHECK_NAME" = 'best_customer_in_customer_totals') OR ("TABLE_NAME" = 'shop_overview' AND "CHECK_NAME" = 'calculated_on_finite') OR ("TABLE_NAME" = 'shop_overview' AND "CHECK_NAME" = 'calculated_on_not_null') OR ("TABLE_NAME" = 'shop_overview' AND "CHECK_NAME" = 'calculated_on_unique') OR ("TABLE_NAME" = 'shop_overview' AND "CHECK_NAME" = 'models_not_null') OR ("TABLE_NAME" = 'shop_overview' AND "CHECK_NAME" = 'not_empty') OR ("TABLE_NAME" = 'shop_overview' AND "CHECK_NAME" = 'revenue_not_null'));
  CREATE OR REPLACE TRANSIENT TABLE "DB1"."GOLD_CANDIDATES"."SHOP_OVERVIEW__OF_TOY_SHOP"
  DATA_RETENTION_TIME_IN_DAYS = 0
  AS
  SELECT
    CAST(:AS_OF AS DATE) AS "CALCULATED_ON",
    CAST("T7"."CUSTOMER_ID" AS VARCHAR) AS "BEST_CUSTOMER",
    CAST("T7"."MODELS" AS BIGINT) AS "MODELS",
    CAST("T7"."REVENUE" AS DECIMAL(18, 2)) AS "REVENUE"
  FROM (
    SELECT
      "T6"."CUSTOMER_ID",
      "T6"."NAME",
      "T6"."CITY",
      "T6"."ORDERS_PAID",
      "T6"."SPEND",
      "T6"."AVERAGE_ORDER",
      "T6"."STARS",
      "T6"."LAST_ORDER_ON",
      "T6"."TIER",
      "T5"."MODELS",
      "T5"."REVENUE"
    FROM (
      SELECT
        *
      FROM "DB1"."GOLD_CANDIDATES"."CUSTOMER_TOTALS__OF_TOY_SHOP" AS "T0"
      ORDER BY
        "T0"."SPEND" DESC NULLS LAST,
        "T0"."CUSTOMER_ID" ASC
      LIMIT 1
    ) AS "T6"
    CROSS JOIN (
      SELECT
        COUNT(DISTINCT "T1"."MODEL") AS "MODELS",
        SUM("T1"."REVENUE") AS "REVENUE"
      FROM "DB1"."GOLD_CANDIDATES"."MODEL_SALES__OF_TOY_SHOP" AS "T1"
    ) AS "T5"
  ) AS "T7";
  INSERT INTO "DB1"."GOLD_CANDIDATES"."TOY_SHOP__CHECKS" ("RUN_ID", "DEPLOYMENT", "TABLE_NAME", "CHECK_NAME", "OUTCOME", "VIOLATIONS", "ROW_COUNT", "CONTENTS")
  SELECT :RUN_ID, 'bf024f3856ff4db4', 'shop_overview', NULL, NULL, NULL, COUNT(*), COUNT(*) || ' ' || HASH_AGG("CALCULATED_ON", "BEST_CUSTOMER", "MODELS", "REVENUE")
  FROM "DB1"."GOLD_CANDIDATES"."SHOP_OVERVIEW__OF_TOY_SHOP";
  INSERT INTO "DB1"."GOLD_CANDIDATES"."TOY_SHOP__CHECKS" ("RUN_ID", "DEPLOYMENT", "TABLE_NAME", "CHECK_NAME", "OUTCOME", "VIOLATIONS", "ROW_COUNT", "CONTENTS")
  SELECT :RUN_ID, 'bf024f3856ff4db4', 'shop_overview', CHECK_NAME,
    CASE WHEN VIOLATIONS <= 0 THEN 'pass' WHEN SEVERITY = 'error' THEN 'fail'
      WHEN :AS_OF <= ACKNOWLEDGED_UNTIL THEN 'acknowledged' ELSE 'warn' END,
    VIOLATIONS, ROW_COUNT, NULL
  FROM (
    SELECT N.*, CASE MARTS_N WHEN 0 THEN COALESCE("C0", 0) WHEN 1 THEN COALESCE("C1", 0) WHEN 2 THEN COALESCE("C2", 0) WHEN 3 THEN COALESCE("C3", 0) WHEN 4 THEN COALESCE("C4", 0) WHEN 5 THEN COALESCE("C5", 0) END AS VIOLATIONS, COALESCE("ROWS", 0) AS ROW_COUNT
    FROM (
      SELECT
        COUNT(*) AS "ROWS",
        SUM(CAST("T0"."CALCULATED_ON" IS NULL AS INT)) AS "C0",
        SUM(
          CAST((
            "T0"."CALCULATED_ON" < DATE_FROM_PARTS(1, 1, 1)
          )
          OR (
            "T0"."CALCULATED_ON" > DATE_FROM_PARTS(9999, 12, 31)
          ) AS INT)
        ) AS "C1",
        SUM(CAST("T0"."MODELS" IS NULL AS INT)) AS "C2",
        SUM(CAST("T0"."REVENUE" IS NULL AS INT)) AS "C3",
        COUNT("T0"."CALCULATED_ON") - COUNT(DISTINCT "T0"."CALCULATED_ON") AS "C4",
        IFF(COUNT(*) = 0, 1, 0) AS "C5"
      FROM "DB1"."GOLD_CANDIDATES"."SHOP_OVERVIEW__OF_TOY_SHOP" AS "T0"
    ) AS Q
    CROSS JOIN (
    SELECT 0, 'calculated_on_not_null', 'error', CAST(NULL AS DATE)
    UNION ALL SELECT 1, 'calculated_on_finite', 'error', CAST(NULL AS DATE)
    UNION ALL SELECT 2, 'models_not_null', 'error', CAST(NULL AS DATE)
    UNION ALL SELECT 3, 'revenue_not_null', 'error', CAST(NULL AS DATE)
    UNION ALL SELECT 4, 'calculated_on_unique', 'error', CAST(NULL AS DATE)
    UNION ALL SELECT 5, 'not_empty', 'warn', CAST(NULL AS DATE)
    ) AS N (MARTS_N, CHECK_NAME, SEVERITY, ACKNOWLEDGED_UNTIL)
  ) AS C;
  INSERT INTO "DB1"."GOLD_CANDIDATES"."TOY_SHOP__CHECKS" ("RUN_ID", "DEPLOYMENT", "TABLE_NAME", "CHECK_NAME", "OUTCOME", "VIOLATIONS", "ROW_COUNT", "CONTENTS")
  SELECT :RUN_ID, 'bf024f3856ff4db4', 'shop_overview', CHECK_NAME,
    CASE WHEN VIOLATIONS <= 0 THEN 'pass' WHEN SEVERITY = 'error' THEN 'fail'
      WHEN :AS_OF <= ACKNOWLEDGED_UNTIL THEN 'acknowledged' ELSE 'warn' END,
    VIOLATIONS, ROW_COUNT, NULL
  FROM (
    SELECT N.*, COALESCE("C0", 0) AS VIOLATIONS, CAST(NULL AS INT) AS ROW_COUNT
    FROM (
      SELECT
        SUM("T8"."ROWS") AS "C0"
      FROM (
        SELECT
          *
        FROM (
          SELECT
            "T6"."BEST_CUSTOMER",
            "T6"."ROWS",
            "T4"."KNOWN_VALUE"
          FROM (
            SELECT
              "T3"."BEST_CUSTOMER",
              COUNT(*) AS "ROWS"
            FROM (
              SELECT
                *
              FROM "DB1"."GOLD_CANDIDATES"."SHOP_OVERVIEW__OF_TOY_SHOP" AS "T0"
              WHERE
                "T0"."BEST_CUSTOMER" IS NOT NULL
            ) AS "T3"
            GROUP BY
              1
          ) AS "T6"
          LEFT OUTER JOIN (
            SELECT DISTINCT
              "T1"."CUSTOMER_ID" AS "KNOWN_VALUE"
            FROM "DB1"."GOLD_CANDIDATES"."CUSTOMER_TOTALS__OF_TOY_SHOP" AS "T1"
          ) AS "T4"
            ON "T6"."BEST_CUSTOMER" = "T4"."KNOWN_VALUE"
        ) AS "T7"
        WHERE
          "T7"."KNOWN_VALUE" IS NULL
      ) AS "T8"
    ) AS Q
    CROSS JOIN (
    SELECT 0, 'best_customer_in_customer_totals', 'error', CAST(NULL AS DATE)
    ) AS N (MARTS_N, CHECK_NAME, SEVERITY, ACKNOWLEDGED_UNTIL)
  ) AS C;
  FOUND := (
    SELECT COUNT(*) FROM "DB1"."GOLD_CANDIDATES"."TOY_SHOP__CHECKS"
    WHERE "RUN_ID" = :RUN_ID AND "OUTCOME" = 'fail' AND "TABLE_NAME" IN ('shop_overview')
  );
  IF (FOUND > 0) THEN
    RAISE ERROR_1;
  END IF;
  RETURN 'done';
END;
$$;

CREATE OR REPLACE PROCEDURE "DB1"."GOLD_CANDIDATES"."TOY_SHOP__PUBLISH"(GRAPH_RUN VARCHAR)
RETURNS VARCHAR
LANGUAGE SQL
COMMENT = '{"tool": "marts", "package": "toy_shop", "group": "default", "digest": "0e5302cdea391cec"}'
EXECUTE AS CALLER
AS
$$
DECLARE
  RUN_ID VARCHAR;
  AS_OF DATE;
  MOMENT VARCHAR;
  FOUND INT;
  NOW_SEEN VARCHAR;
  BEFORE_SEEN VARCHAR;
  OLD VARCHAR;
  DDL VARCHAR;
  DEFINITION VARCHAR;
  STATEMENT VARCHAR;
  BUILT_0 VARCHAR;
  BUILT_1 VARCHAR;
  BUILT_2 VARCHAR;
  ERROR_0 EXCEPTION (-20001, 'the run of this graph has not begun: run its root task');
  ERROR_1 EXCEPTION (-20002, 'checks of this run are missing: a task was suspended, skipped or replaced meanwhile');
  ERROR_2 EXCEPTION (-20003, 'a check does not hold: the table of runs names it');
  ERROR_3 EXCEPTION (-20004, 'source customers was replaced or altered while this run read it');
  ERROR_4 EXCEPTION (-20005, 'source orders was replaced or altered while this run read it');
  ERROR_5 EXCEPTION (-20006, 'source reviews was replaced or altered while this run read it');
  ERROR_6 EXCEPTION (-20007, 'the published customer_totals has other columns: run marts deploy again');
  ERROR_7 EXCEPTION (-20008, 'the published model_sales has other columns: run marts deploy again');
  ERROR_8 EXCEPTION (-20009, 'the published shop_overview has other columns: run marts deploy again');
  ERROR_9 EXCEPTION (-20010, 'the view int_paid_orders has a policy or a tag, or is secure, which would be lost: make it a table');
  ERROR_10 EXCEPTION (-20011, 'the state table has lost its row to queue at: deploy again');
  ERROR_11 EXCEPTION (-20012, 'this run has published already');
  ERROR_12 EXCEPTION (-20013, 'another run published meanwhile');
  ERROR_13 EXCEPTION (-20014, 'another package or group has taken over a mart: run marts deploy again');
  ERROR_14 EXCEPTION (-20015, 'the candidate of customer_totals is not what was checked: it was replaced');
  ERROR_15 EXCEPTION (-20016, 'not all rows of customer_totals can be seen after writing them: a row access policy must let the building role see all rows');
  ERROR_16 EXCEPTION (-20017, 'the candidate of model_sales is not what was checked: it was replaced');
  ERROR_17 EXCEPTION (-20018, 'not all rows of model_sales can be seen after writing them: a row access policy must let the building role see all rows');
  ERROR_18 EXCEPTION (-20019, 'the candidate of shop_overview is not what was checked: it was replaced');
  ERROR_19 EXCEPTION (-20020, 'not all rows of shop_overview can be seen after writing them: a row access policy must let the building role see all rows');
BEGIN
  RUN_ID := (
    SELECT "RUN_ID" FROM "DB1"."GOLD_CANDIDATES"."TOY_SHOP__RUNS" WHERE "GRAPH_RUN" = :GRAPH_RUN
  );
  AS_OF := (
    SELECT "AS_OF" FROM "DB1"."GOLD_CANDIDATES"."TOY_SHOP__RUNS" WHERE "GRAPH_RUN" = :GRAPH_RUN
  );
  MOMENT := (
    SELECT "MOMENT" FROM "DB1"."GOLD_CANDIDATES"."TOY_SHOP__RUNS" WHERE "GRAPH_RUN" = :GRAPH_RUN
  );
  IF (RUN_ID IS NULL) THEN
    RAISE ERROR_0;
  END IF;
  FOUND := (
    SELECT COUNT(*) FROM "DB1"."GOLD_CANDIDATES"."TOY_SHOP__CHECKS"
    WHERE "RUN_ID" = :RUN_ID AND "DEPLOYMENT" = 'bf024f3856ff4db4'
  );
  IF (FOUND <> 80) THEN
    RAISE ERROR_1;
  END IF;
  FOUND := (
    SELECT COUNT(*) FROM "DB1"."GOLD_CANDIDATES"."TOY_SHOP__CHECKS"
    WHERE "RUN_ID" = :RUN_ID AND "DEPLOYMENT" = 'bf024f3856ff4db4' AND "OUTCOME" = 'fail'
  );
  IF (FOUND > 0) THEN
    RAISE ERROR_2;
  END IF;
  FOUND := (
    SELECT COUNT(*) FROM "DB1".INFORMATION_SCHEMA.TABLES
    WHERE "TABLE_SCHEMA" = 'RAW'
      AND "TABLE_NAME" = 'CUSTOMERS'
      AND "CREATED" <= TO_TIMESTAMP_TZ(:MOMENT, 'YYYY-MM-DD HH24:MI:SS.FF3 TZH:TZM') AND "LAST_DDL" <= TO_TIMESTAMP_TZ(:MOMENT, 'YYYY-MM-DD HH24:MI:SS.FF3 TZH:TZM')
  );
  IF (FOUND <> 1) THEN
    RAISE ERROR_3;
  END IF;
  FOUND := (
    SELECT COUNT(*) FROM "DB1".INFORMATION_SCHEMA.TABLES
    WHERE "TABLE_SCHEMA" = 'RAW'
      AND "TABLE_NAME" = 'ORDERS'
      AND "CREATED" <= TO_TIMESTAMP_TZ(:MOMENT, 'YYYY-MM-DD HH24:MI:SS.FF3 TZH:TZM') AND "LAST_DDL" <= TO_TIMESTAMP_TZ(:MOMENT, 'YYYY-MM-DD HH24:MI:SS.FF3 TZH:TZM')
  );
  IF (FOUND <> 1) THEN
    RAISE ERROR_4;
  END IF;
  FOUND := (
    SELECT COUNT(*) FROM "DB1".INFORMATION_SCHEMA.TABLES
    WHERE "TABLE_SCHEMA" = 'RAW'
      AND "TABLE_NAME" = 'REVIEWS'
      AND "CREATED" <= TO_TIMESTAMP_TZ(:MOMENT, 'YYYY-MM-DD HH24:MI:SS.FF3 TZH:TZM') AND "LAST_DDL" <= TO_TIMESTAMP_TZ(:MOMENT, 'YYYY-MM-DD HH24:MI:SS.FF3 TZH:TZM')
  );
  IF (FOUND <> 1) THEN
    RAISE ERROR_5;
  END IF;
  FOUND := (
    SELECT COUNT(*) FROM "DB1".INFORMATION_SCHEMA.COLUMNS
    WHERE "TABLE_SCHEMA" = 'GOLD'
      AND "TABLE_NAME" = 'CUSTOMER_TOTALS'
      AND "COLUMN_NAME" || ' ' || CASE "DATA_TYPE" WHEN 'NUMBER' THEN 'NUMBER(' || "NUMERIC_SCALE" || ')' ELSE "DATA_TYPE" END IN ('CUSTOMER_ID TEXT', 'NAME TEXT', 'CITY TEXT', 'ORDERS_PAID NUMBER(0)', 'SPEND NUMBER(2)', 'AVERAGE_ORDER FLOAT', 'STARS FLOAT', 'LAST_ORDER_ON DATE', 'TIER TEXT')
      AND 0 = (SELECT COUNT(*) FROM "DB1".INFORMATION_SCHEMA.COLUMNS
    WHERE "TABLE_SCHEMA" = 'GOLD'
      AND "TABLE_NAME" = 'CUSTOMER_TOTALS'
      AND NOT ("COLUMN_NAME" || ' ' || CASE "DATA_TYPE" WHEN 'NUMBER' THEN 'NUMBER(' || "NUMERIC_SCALE" || ')' ELSE "DATA_TYPE" END IN ('CUSTOMER_ID TEXT', 'NAME TEXT', 'CITY TEXT', 'ORDERS_PAID NUMBER(0)', 'SPEND NUMBER(2)', 'AVERAGE_ORDER FLOAT', 'STARS FLOAT', 'LAST_ORDER_ON DATE', 'TIER TEXT')))
  );
  IF (FOUND <> 9) THEN
    RAISE ERROR_6;
  END IF;
  FOUND := (
    SELECT COUNT(*) FROM "DB1".INFORMATION_SCHEMA.COLUMNS
    WHERE "TABLE_SCHEMA" = 'GOLD'
      AND "TABLE_NAME" = 'MODEL_SALES'
      AND "COLUMN_NAME" || ' ' || CASE "DATA_TYPE" WHEN 'NUMBER' THEN 'NUMBER(' || "NUMERIC_SCALE" || ')' ELSE "DATA_TYPE" END IN ('MONTH DATE', 'MODEL TEXT', 'SOLD NUMBER(0)', 'REVENUE NUMBER(2)')
      AND 0 = (SELECT COUNT(*) FROM "DB1".INFORMATION_SCHEMA.COLUMNS
    WHERE "TABLE_SCHEMA" = 'GOLD'
      AND "TABLE_NAME" = 'MODEL_SALES'
      AND NOT ("COLUMN_NAME" || ' ' || CASE "DATA_TYPE" WHEN 'NUMBER' THEN 'NUMBER(' || "NUMERIC_SCALE" || ')' ELSE "DATA_TYPE" END IN ('MONTH DATE', 'MODEL TEXT', 'SOLD NUMBER(0)', 'REVENUE NUMBER(2)')))
  );
  IF (FOUND <> 4) THEN
    RAISE ERROR_7;
  END IF;
  FOUND := (
    SELECT COUNT(*) FROM "DB1".INFORMATION_SCHEMA.COLUMNS
    WHERE "TABLE_SCHEMA" = 'GOLD'
      AND "TABLE_NAME" = 'SHOP_OVERVIEW'
      AND "COLUMN_NAME" || ' ' || CASE "DATA_TYPE" WHEN 'NUMBER' THEN 'NUMBER(' || "NUMERIC_SCALE" || ')' ELSE "DATA_TYPE" END IN ('CALCULATED_ON DATE', 'BEST_CUSTOMER TEXT', 'MODELS NUMBER(0)', 'REVENUE NUMBER(2)')
      AND 0 = (SELECT COUNT(*) FROM "DB1".INFORMATION_SCHEMA.COLUMNS
    WHERE "TABLE_SCHEMA" = 'GOLD'
      AND "TABLE_NAME" = 'SHOP_OVERVIEW'
      AND NOT ("COLUMN_NAME" || ' ' || CASE "DATA_TYPE" WHEN 'NUMBER' THEN 'NUMBER(' || "NUMERIC_SCALE" || ')' ELSE "DATA_TYPE" END IN ('CALCULATED_ON DATE', 'BEST_CUSTOMER TEXT', 'MODELS NUMBER(0)', 'REVENUE NUMBER(2)')))
  );
  IF (FOUND <> 4) THEN
    RAISE ERROR_8;
  END IF;
  FOUND := (
    SELECT COUNT(*) FROM "DB1".INFORMATION_SCHEMA.TABLES
    WHERE "TABLE_SCHEMA" = 'GOLD'
      AND "TABLE_NAME" = 'INT_PAID_ORDERS'
      AND "TABLE_TYPE" = 'VIEW'
  );
  IF (FOUND > 0) THEN
    DDL := (
      SELECT GET_DDL('VIEW', '"DB1"."GOLD"."INT_PAID_ORDERS"', TRUE) AS "ddl"
    );
    DDL := (
      SELECT REGEXP_REPLACE(:DDL, '\'([^\']|\'\')*\'|"[^"]*"', '')
    );
    FOUND := (
      SELECT CASE WHEN CONTAINS(UPPER(:DDL), ' POLICY ') OR CONTAINS(UPPER(:DDL), ' TAG (') OR CONTAINS(UPPER(:DDL), ' SECURE ') THEN 1 ELSE 0 END
    );
    IF (FOUND > 0) THEN
      RAISE ERROR_9;
    END IF;
  END IF;
  BUILT_0 := (
    SELECT "CONTENTS" FROM "DB1"."GOLD_CANDIDATES"."TOY_SHOP__CHECKS"
    WHERE "RUN_ID" = :RUN_ID AND "TABLE_NAME" = 'customer_totals' AND "CHECK_NAME" IS NULL
  );
  BUILT_1 := (
    SELECT "CONTENTS" FROM "DB1"."GOLD_CANDIDATES"."TOY_SHOP__CHECKS"
    WHERE "RUN_ID" = :RUN_ID AND "TABLE_NAME" = 'model_sales' AND "CHECK_NAME" IS NULL
  );
  BUILT_2 := (
    SELECT "CONTENTS" FROM "DB1"."GOLD_CANDIDATES"."TOY_SHOP__CHECKS"
    WHERE "RUN_ID" = :RUN_ID AND "TABLE_NAME" = 'shop_overview' AND "CHECK_NAME" IS NULL
  );
  UPDATE "DB1"."GOLD"."MARTS_RUNS" SET "STATUS" = 'publishing', "PUBLISHING_SINCE" = CAST(CONVERT_TIMEZONE('UTC', CURRENT_TIMESTAMP()) AS TIMESTAMP_NTZ)
  WHERE "RUN_ID" = :RUN_ID;
  BEGIN TRANSACTION;
  UPDATE "DB1"."GOLD"."MARTS_STATE" SET "RUN_ID" = :RUN_ID WHERE "KIND" = 'lock';
  FOUND := (
    SELECT COUNT(*) FROM "DB1"."GOLD"."MARTS_STATE" WHERE "NAME" = 'lock' AND "KIND" = 'lock' AND "RUN_ID" = :RUN_ID
  );
  IF (FOUND <> 1) THEN
    RAISE ERROR_10;
  END IF;
  FOUND := (
    SELECT COUNT(*) FROM "DB1"."GOLD"."MARTS_STATE" WHERE "NAME" = :RUN_ID AND "KIND" = 'publication'
  );
  IF (FOUND > 0) THEN
    RAISE ERROR_11;
  END IF;
  NOW_SEEN := (
    SELECT COALESCE(LISTAGG("PACKAGE" || ' ' || "NAME" || ' ' || "RUN_ID", ', ') WITHIN GROUP (ORDER BY "PACKAGE", "NAME"), '')
    FROM (SELECT "PACKAGE", "NAME", "RUN_ID" FROM "DB1"."GOLD"."MARTS_STATE" WHERE "NAME" IN ('int_paid_orders', 'customer_totals', 'model_sales', 'shop_overview') AND "KIND" IN ('table', 'view') AND "AS_OF" IS NOT NULL)
  );
  BEFORE_SEEN := (
    SELECT "SEEN" FROM "DB1"."GOLD_CANDIDATES"."TOY_SHOP__RUNS" WHERE "RUN_ID" = :RUN_ID
  );
  IF (NOW_SEEN <> BEFORE_SEEN) THEN
    RAISE ERROR_12;
  END IF;
  FOUND := (
    SELECT SUM(CASE WHEN "PACKAGE" = 'toy_shop' THEN 1 ELSE -1 END)
    FROM "DB1"."GOLD"."MARTS_STATE" WHERE "NAME" IN ('int_paid_orders', 'customer_totals', 'model_sales', 'shop_overview') AND "KIND" IN ('table', 'view')
  );
  IF (FOUND IS NULL OR FOUND <> 4) THEN
    RAISE ERROR_13;
  END IF;
  OLD := (
    SELECT COUNT(*) || ' ' || HASH_AGG("CUSTOMER_ID", "NAME", "CITY", "ORDERS_PAID", "SPEND", "AVERAGE_ORDER", "STARS", "LAST_ORDER_ON", "TIER") FROM "DB1"."GOLD_CANDIDATES"."CUSTOMER_TOTALS__OF_TOY_SHOP"
  );
  IF (BUILT_0 IS NULL OR OLD <> BUILT_0) THEN
    RAISE ERROR_14;
  END IF;
  OLD := (
    SELECT COUNT(*) || ' ' || HASH_AGG("CUSTOMER_ID", "NAME", "CITY", "ORDERS_PAID", "SPEND", "AVERAGE_ORDER", "STARS", "LAST_ORDER_ON", "TIER") FROM "DB1"."GOLD"."CUSTOMER_TOTALS"
  );
  FOUND := (
    SELECT COUNT(*) FROM "DB1"."GOLD"."MARTS_STATE" WHERE "NAME" = 'customer_totals' AND "VERSION" LIKE ('% #' || :BUILT_0)
  );
  IF (OLD <> BUILT_0 OR FOUND = 0) THEN
    INSERT OVERWRITE INTO "DB1"."GOLD"."CUSTOMER_TOTALS" ("CUSTOMER_ID", "NAME", "CITY", "ORDERS_PAID", "SPEND", "AVERAGE_ORDER", "STARS", "LAST_ORDER_ON", "TIER")
    SELECT "CUSTOMER_ID", "NAME", "CITY", "ORDERS_PAID", "SPEND", "AVERAGE_ORDER", "STARS", "LAST_ORDER_ON", "TIER" FROM "DB1"."GOLD_CANDIDATES"."CUSTOMER_TOTALS__OF_TOY_SHOP";
    OLD := (
      SELECT COUNT(*) || ' ' FROM "DB1"."GOLD"."CUSTOMER_TOTALS"
    );
    IF (NOT STARTSWITH(BUILT_0, OLD)) THEN
      RAISE ERROR_15;
    END IF;
  END IF;
  OLD := (
    SELECT COUNT(*) || ' ' || HASH_AGG("MONTH", "MODEL", "SOLD", "REVENUE") FROM "DB1"."GOLD_CANDIDATES"."MODEL_SALES__OF_TOY_SHOP"
  );
  IF (BUILT_1 IS NULL OR OLD <> BUILT_1) THEN
    RAISE ERROR_16;
  END IF;
  OLD := (
    SELECT COUNT(*) || ' ' || HASH_AGG("MONTH", "MODEL", "SOLD", "REVENUE") FROM "DB1"."GOLD"."MODEL_SALES"
  );
  FOUND := (
    SELECT COUNT(*) FROM "DB1"."GOLD"."MARTS_STATE" WHERE "NAME" = 'model_sales' AND "VERSION" LIKE ('% #' || :BUILT_1)
  );
  IF (OLD <> BUILT_1 OR FOUND = 0) THEN
    INSERT OVERWRITE INTO "DB1"."GOLD"."MODEL_SALES" ("MONTH", "MODEL", "SOLD", "REVENUE")
    SELECT "MONTH", "MODEL", "SOLD", "REVENUE" FROM "DB1"."GOLD_CANDIDATES"."MODEL_SALES__OF_TOY_SHOP";
    OLD := (
      SELECT COUNT(*) || ' ' FROM "DB1"."GOLD"."MODEL_SALES"
    );
    IF (NOT STARTSWITH(BUILT_1, OLD)) THEN
      RAISE ERROR_17;
    END IF;
  END IF;
  OLD := (
    SELECT COUNT(*) || ' ' || HASH_AGG("CALCULATED_ON", "BEST_CUSTOMER", "MODELS", "REVENUE") FROM "DB1"."GOLD_CANDIDATES"."SHOP_OVERVIEW__OF_TOY_SHOP"
  );
  IF (BUILT_2 IS NULL OR OLD <> BUILT_2) THEN
    RAISE ERROR_18;
  END IF;
  OLD := (
    SELECT COUNT(*) || ' ' || HASH_AGG("CALCULATED_ON", "BEST_CUSTOMER", "MODELS", "REVENUE") FROM "DB1"."GOLD"."SHOP_OVERVIEW"
  );
  FOUND := (
    SELECT COUNT(*) FROM "DB1"."GOLD"."MARTS_STATE" WHERE "NAME" = 'shop_overview' AND "VERSION" LIKE ('% #' || :BUILT_2)
  );
  IF (OLD <> BUILT_2 OR FOUND = 0) THEN
    INSERT OVERWRITE INTO "DB1"."GOLD"."SHOP_OVERVIEW" ("CALCULATED_ON", "BEST_CUSTOMER", "MODELS", "REVENUE")
    SELECT "CALCULATED_ON", "BEST_CUSTOMER", "MODELS", "REVENUE" FROM "DB1"."GOLD_CANDIDATES"."SHOP_OVERVIEW__OF_TOY_SHOP";
    OLD := (
      SELECT COUNT(*) || ' ' FROM "DB1"."GOLD"."SHOP_OVERVIEW"
    );
    IF (NOT STARTSWITH(BUILT_2, OLD)) THEN
      RAISE ERROR_19;
    END IF;
  END IF;
  MERGE INTO "DB1"."GOLD"."MARTS_STATE" AS "T"
  USING (SELECT 'toy_shop' AS "PACKAGE", 'customer_totals' AS "NAME", 'table' AS "KIND", :RUN_ID AS "RUN_ID", :AS_OF AS "AS_OF", CAST(CONVERT_TIMEZONE('UTC', CURRENT_TIMESTAMP()) AS TIMESTAMP_NTZ) AS "PUBLISHED_AT", ' #' || :BUILT_0 AS "VERSION", NULL AS "ORIGIN", NULL AS "PROOF" UNION ALL SELECT 'toy_shop' AS "PACKAGE", 'model_sales' AS "NAME", 'table' AS "KIND", :RUN_ID AS "RUN_ID", :AS_OF AS "AS_OF", CAST(CONVERT_TIMEZONE('UTC', CURRENT_TIMESTAMP()) AS TIMESTAMP_NTZ) AS "PUBLISHED_AT", ' #' || :BUILT_1 AS "VERSION", NULL AS "ORIGIN", NULL AS "PROOF" UNION ALL SELECT 'toy_shop' AS "PACKAGE", 'shop_overview' AS "NAME", 'table' AS "KIND", :RUN_ID AS "RUN_ID", :AS_OF AS "AS_OF", CAST(CONVERT_TIMEZONE('UTC', CURRENT_TIMESTAMP()) AS TIMESTAMP_NTZ) AS "PUBLISHED_AT", ' #' || :BUILT_2 AS "VERSION", NULL AS "ORIGIN", NULL AS "PROOF" UNION ALL SELECT 'toy_shop' AS "PACKAGE", 'customers' AS "NAME", 'source' AS "KIND", :RUN_ID AS "RUN_ID", :AS_OF AS "AS_OF", CAST(CONVERT_TIMEZONE('UTC', CURRENT_TIMESTAMP()) AS TIMESTAMP_NTZ) AS "PUBLISHED_AT", NULL AS "VERSION", (SELECT '{"checks": [], "orphans": {' || '}, "rows": ' || (SELECT MAX("ROW_COUNT") FROM "DB1"."GOLD_CANDIDATES"."TOY_SHOP__CHECKS" WHERE "RUN_ID" = :RUN_ID AND "TABLE_NAME" = 'customers' AND "CHECK_NAME" = 'not_shrunk') || ', "version": ""}') AS "ORIGIN", NULL AS "PROOF" UNION ALL SELECT 'toy_shop' AS "PACKAGE", 'orders' AS "NAME", 'source' AS "KIND", :RUN_ID AS "RUN_ID", :AS_OF AS "AS_OF", CAST(CONVERT_TIMEZONE('UTC', CURRENT_TIMESTAMP()) AS TIMESTAMP_NTZ) AS "PUBLISHED_AT", NULL AS "VERSION", (SELECT '{"checks": [], "orphans": {' || '}, "rows": ' || (SELECT MAX("ROW_COUNT") FROM "DB1"."GOLD_CANDIDATES"."TOY_SHOP__CHECKS" WHERE "RUN_ID" = :RUN_ID AND "TABLE_NAME" = 'orders' AND "CHECK_NAME" = 'not_shrunk') || ', "version": ""}') AS "ORIGIN", NULL AS "PROOF" UNION ALL SELECT 'toy_shop' AS "PACKAGE", 'reviews' AS "NAME", 'source' AS "KIND", :RUN_ID AS "RUN_ID", :AS_OF AS "AS_OF", CAST(CONVERT_TIMEZONE('UTC', CURRENT_TIMESTAMP()) AS TIMESTAMP_NTZ) AS "PUBLISHED_AT", NULL AS "VERSION", (SELECT '{"checks": [], "orphans": {' || '}, "rows": ' || (SELECT MAX("ROW_COUNT") FROM "DB1"."GOLD_CANDIDATES"."TOY_SHOP__CHECKS" WHERE "RUN_ID" = :RUN_ID AND "TABLE_NAME" = 'reviews' AND "CHECK_NAME" = 'not_shrunk') || ', "version": ""}') AS "ORIGIN", NULL AS "PROOF" UNION ALL SELECT '' AS "PACKAGE", :RUN_ID AS "NAME", 'publication' AS "KIND", :RUN_ID AS "RUN_ID", :AS_OF AS "AS_OF", CAST(CONVERT_TIMEZONE('UTC', CURRENT_TIMESTAMP()) AS TIMESTAMP_NTZ) AS "PUBLISHED_AT", NULL AS "VERSION", NULL AS "ORIGIN", NULL AS "PROOF") AS "S"
  ON "T"."PACKAGE" = "S"."PACKAGE" AND "T"."NAME" = "S"."NAME"
  WHEN MATCHED THEN UPDATE SET "KIND" = "S"."KIND", "RUN_ID" = "S"."RUN_ID", "AS_OF" = "S"."AS_OF", "PUBLISHED_AT" = "S"."PUBLISHED_AT", "VERSION" = "S"."VERSION", "ORIGIN" = "S"."ORIGIN", "PROOF" = "S"."PROOF"
  WHEN NOT MATCHED THEN INSERT ("PACKAGE", "NAME", "KIND", "RUN_ID", "AS_OF", "PUBLISHED_AT", "VERSION", "ORIGIN", "PROOF") VALUES ("S"."PACKAGE", "S"."NAME", "S"."KIND", "S"."RUN_ID", "S"."AS_OF", "S"."PUBLISHED_AT", "S"."VERSION", "S"."ORIGIN", "S"."PROOF");
  DELETE FROM "DB1"."GOLD"."MARTS_STATE" WHERE "KIND" = 'publication' AND "NAME" <> :RUN_ID AND "PUBLISHED_AT" < DATEADD(DAY, -1, CAST(CONVERT_TIMEZONE('UTC', CURRENT_TIMESTAMP()) AS TIMESTAMP_NTZ));
  COMMIT;
  DEFINITION := (
    SELECT REPLACE('SELECT\n  CAST("T0"."ORDER_ID" AS VARCHAR) AS "ORDER_ID",\n  CAST("T0"."CUSTOMER_ID" AS VARCHAR) AS "CUSTOMER_ID",\n  CAST("T0"."ORDERED_AT" AS TIMESTAMPNTZ) AS "ORDERED_AT",\n  CAST(COALESCE("T0"."MODEL", \'parts\') AS VARCHAR) AS "MODEL",\n  CAST("T0"."AMOUNT" AS DECIMAL(18, 2)) AS "AMOUNT"\nFROM "DB1"."RAW"."ORDERS" AS "T0"\nWHERE\n  "T0"."STATUS" = \'paid\'\n  AND "T0"."ORDERED_AT" < CAST(MARTS_AS_OF(1) AS TIMESTAMPNTZ)', 'MARTS_AS_OF(1)', 'DATE_FROM_PARTS(' || YEAR(DATEADD(DAY, 1, :AS_OF)) || ', ' || MONTH(DATEADD(DAY, 1, :AS_OF)) || ', ' || DAY(DATEADD(DAY, 1, :AS_OF)) || ')')
  );
  STATEMENT := (
    SELECT COUNT(*) FROM "DB1".INFORMATION_SCHEMA.TABLES
    WHERE "TABLE_SCHEMA" = 'GOLD'
      AND "TABLE_NAME" = 'INT_PAID_ORDERS'
      AND "TABLE_TYPE" = 'VIEW'
  );
  FOUND := (
    SELECT COUNT(*) FROM "DB1"."GOLD"."MARTS_STATE" WHERE "NAME" = 'int_paid_orders' AND :STATEMENT <> '0' AND "VERSION" LIKE ('% #' || SHA2(:DEFINITION, 256))
  );
  IF (FOUND = 0) THEN
    STATEMENT := (
      SELECT CASE :STATEMENT WHEN '0' THEN 'CREATE OR REPLACE VIEW "DB1"."GOLD"."INT_PAID_ORDERS" (\n  "ORDER_ID",\n  "CUSTOMER_ID",\n  "ORDERED_AT",\n  "MODEL" COMMENT \'the bicycle\\\'s model; `parts` where there is none\',\n  "AMOUNT"\n)\nCOMMENT = \'Paid orders until as_of.\'\nAS\n' ELSE 'CREATE OR REPLACE VIEW "DB1"."GOLD"."INT_PAID_ORDERS" (\n  "ORDER_ID",\n  "CUSTOMER_ID",\n  "ORDERED_AT",\n  "MODEL" COMMENT \'the bicycle\\\'s model; `parts` where there is none\',\n  "AMOUNT"\n)\nCOPY GRANTS\nCOMMENT = \'Paid orders until as_of.\'\nAS\n' END || :DEFINITION
    );
    EXECUTE IMMEDIATE :STATEMENT;
  END IF;
  MERGE INTO "DB1"."GOLD"."MARTS_STATE" AS "T"
  USING (SELECT 'toy_shop' AS "PACKAGE", 'int_paid_orders' AS "NAME", 'view' AS "KIND", :RUN_ID AS "RUN_ID", :AS_OF AS "AS_OF", CAST(CONVERT_TIMEZONE('UTC', CURRENT_TIMESTAMP()) AS TIMESTAMP_NTZ) AS "PUBLISHED_AT", ' #' || SHA2(:DEFINITION, 256) AS "VERSION", NULL AS "ORIGIN", NULL AS "PROOF") AS "S"
  ON "T"."PACKAGE" = "S"."PACKAGE" AND "T"."NAME" = "S"."NAME"
  WHEN MATCHED THEN UPDATE SET "KIND" = "S"."KIND", "RUN_ID" = "S"."RUN_ID", "AS_OF" = "S"."AS_OF", "PUBLISHED_AT" = "S"."PUBLISHED_AT", "VERSION" = "S"."VERSION", "ORIGIN" = "S"."ORIGIN", "PROOF" = "S"."PROOF"
  WHEN NOT MATCHED THEN INSERT ("PACKAGE", "NAME", "KIND", "RUN_ID", "AS_OF", "PUBLISHED_AT", "VERSION", "ORIGIN", "PROOF") VALUES ("S"."PACKAGE", "S"."NAME", "S"."KIND", "S"."RUN_ID", "S"."AS_OF", "S"."PUBLISHED_AT", "S"."VERSION", "S"."ORIGIN", "S"."PROOF");
  RETURN 'done';
EXCEPTION
  WHEN OTHER THEN
    ROLLBACK;
    RAISE;
END;
$$;

CREATE OR REPLACE PROCEDURE "DB1"."GOLD_CANDIDATES"."TOY_SHOP__FINISH"(GRAPH_RUN VARCHAR)
RETURNS VARCHAR
LANGUAGE SQL
COMMENT = '{"tool": "marts", "package": "toy_shop", "group": "default", "digest": "134c91497edbe8a4"}'
EXECUTE AS CALLER
AS
$$
DECLARE
  RUN_ID VARCHAR;
  AS_OF DATE;
  MOMENT VARCHAR;
  FOUND INT;
  VIEWS INT;
  FAILED VARCHAR;
  RESULTS VARCHAR;
  STATUS VARCHAR;
  ERROR_0 EXCEPTION (-20001, 'the run of this graph has not begun: run its root task');
BEGIN
  RUN_ID := (
    SELECT "RUN_ID" FROM "DB1"."GOLD_CANDIDATES"."TOY_SHOP__RUNS" WHERE "GRAPH_RUN" = :GRAPH_RUN
  );
  AS_OF := (
    SELECT "AS_OF" FROM "DB1"."GOLD_CANDIDATES"."TOY_SHOP__RUNS" WHERE "GRAPH_RUN" = :GRAPH_RUN
  );
  MOMENT := (
    SELECT "MOMENT" FROM "DB1"."GOLD_CANDIDATES"."TOY_SHOP__RUNS" WHERE "GRAPH_RUN" = :GRAPH_RUN
  );
  IF (RUN_ID IS NULL) THEN
    RAISE ERROR_0;
  END IF;
  FOUND := (
    SELECT COUNT(*) FROM "DB1"."GOLD"."MARTS_STATE" WHERE "NAME" = :RUN_ID AND "KIND" = 'publication'
  );
  VIEWS := (
    SELECT COUNT(*) FROM "DB1"."GOLD"."MARTS_STATE" WHERE "RUN_ID" = :RUN_ID AND "KIND" = 'view'
  );
  FAILED := (
    SELECT COALESCE(LISTAGG("TABLE_NAME" || '.' || "CHECK_NAME", ', ') WITHIN GROUP (ORDER BY "TABLE_NAME", "CHECK_NAME"), '')
    FROM "DB1"."GOLD_CANDIDATES"."TOY_SHOP__CHECKS" WHERE "RUN_ID" = :RUN_ID AND "OUTCOME" = 'fail'
  );
  RESULTS := (
    SELECT '{' || LISTAGG(RESULT, ', ') WITHIN GROUP (ORDER BY RESULT) || '}'
    FROM (SELECT '"' || "TABLE_NAME" || '": {"checks": {' || LISTAGG(CASE WHEN "CHECK_NAME" IS NOT NULL THEN '"' || REPLACE(REPLACE("CHECK_NAME", '\\', '\\\\'), '"', '\\"') || '": ["' || "OUTCOME" || '", ' || "VIOLATIONS" || ']' END, ', ') WITHIN GROUP (ORDER BY "CHECK_NAME") || '}' || COALESCE(', "rows": ' || MAX(CASE WHEN "CHECK_NAME" IS NULL OR "CHECK_NAME" = 'not_shrunk' THEN "ROW_COUNT" END), '') || '}' AS RESULT
      FROM "DB1"."GOLD_CANDIDATES"."TOY_SHOP__CHECKS" WHERE "RUN_ID" = :RUN_ID GROUP BY "TABLE_NAME") AS T
  );
  STATUS := (
    SELECT CASE WHEN :FOUND > 0 AND :VIEWS < 1 THEN 'partly_published' WHEN :FOUND > 0 THEN 'published' WHEN :FAILED <> '' THEN 'failed' ELSE 'error' END
  );
  UPDATE "DB1"."GOLD"."MARTS_RUNS" SET "STATUS" = :STATUS, "ENDED_AT" = CAST(CONVERT_TIMEZONE('UTC', CURRENT_TIMESTAMP()) AS TIMESTAMP_NTZ), "SECONDS" = DATEDIFF(SECOND, "STARTED_AT", CAST(CONVERT_TIMEZONE('UTC', CURRENT_TIMESTAMP()) AS TIMESTAMP_NTZ)), "MARTS_BUILT" = (SELECT COUNT(*) FROM "DB1"."GOLD_CANDIDATES"."TOY_SHOP__CHECKS" WHERE "RUN_ID" = :RUN_ID AND "CHECK_NAME" IS NULL AND "TABLE_NAME" IN ('int_paid_orders', 'customer_totals', 'model_sales', 'shop_overview')), "MARTS_PUBLISHED" = CASE WHEN :FOUND > 0 THEN 4 ELSE 0 END, "MARTS_UNCHANGED" = 0, "ROWS_BUILT" = (SELECT COALESCE(SUM("ROW_COUNT"), 0) FROM "DB1"."GOLD_CANDIDATES"."TOY_SHOP__CHECKS" WHERE "RUN_ID" = :RUN_ID AND "CHECK_NAME" IS NULL AND "TABLE_NAME" IN ('int_paid_orders', 'customer_totals', 'model_sales', 'shop_overview')), "CHECKS_MADE" = (SELECT COUNT(*) FROM "DB1"."GOLD_CANDIDATES"."TOY_SHOP__CHECKS" WHERE "RUN_ID" = :RUN_ID AND "CHECK_NAME" IS NOT NULL), "CHECKS_PASSED" = (SELECT COUNT(*) FROM "DB1"."GOLD_CANDIDATES"."TOY_SHOP__CHECKS" WHERE "RUN_ID" = :RUN_ID AND "OUTCOME" = 'pass'), "CHECKS_WARNED" = (SELECT COUNT(*) FROM "DB1"."GOLD_CANDIDATES"."TOY_SHOP__CHECKS" WHERE "RUN_ID" = :RUN_ID AND "OUTCOME" = 'warn'), "CHECKS_ACKNOWLEDGED" = (SELECT COUNT(*) FROM "DB1"."GOLD_CANDIDATES"."TOY_SHOP__CHECKS" WHERE "RUN_ID" = :RUN_ID AND "OUTCOME" = 'acknowledged'), "CHECKS_FAILED" = (SELECT COUNT(*) FROM "DB1"."GOLD_CANDIDATES"."TOY_SHOP__CHECKS" WHERE "RUN_ID" = :RUN_ID AND "OUTCOME" = 'fail'), "ERROR" = CASE :STATUS WHEN 'failed' THEN 'checks that did not hold: ' || :FAILED WHEN 'error' THEN 'a task failed, or was suspended or skipped: TASK_HISTORY has its error' WHEN 'partly_published' THEN 'a view was not replaced: TASK_HISTORY has why' END, "RESULTS" = :RESULTS
  WHERE "RUN_ID" = :RUN_ID;
  DROP TABLE IF EXISTS "DB1"."GOLD_CANDIDATES"."INT_PAID_ORDERS__OF_TOY_SHOP";
  DROP TABLE IF EXISTS "DB1"."GOLD_CANDIDATES"."CUSTOMER_TOTALS__OF_TOY_SHOP";
  DROP TABLE IF EXISTS "DB1"."GOLD_CANDIDATES"."MODEL_SALES__OF_TOY_SHOP";
  DROP TABLE IF EXISTS "DB1"."GOLD_CANDIDATES"."SHOP_OVERVIEW__OF_TOY_SHOP";
  DELETE FROM "DB1"."GOLD_CANDIDATES"."TOY_SHOP__CHECKS" WHERE "RUN_ID" IN (SELECT "RUN_ID" FROM "DB1"."GOLD"."MARTS_RUNS" WHERE "STARTED_AT" < DATEADD(DAY, -30, CAST(CONVERT_TIMEZONE('UTC', CURRENT_TIMESTAMP()) AS TIMESTAMP_NTZ)));
  DELETE FROM "DB1"."GOLD_CANDIDATES"."TOY_SHOP__RUNS" WHERE "RUN_ID" IN (SELECT "RUN_ID" FROM "DB1"."GOLD"."MARTS_RUNS" WHERE "STARTED_AT" < DATEADD(DAY, -30, CAST(CONVERT_TIMEZONE('UTC', CURRENT_TIMESTAMP()) AS TIMESTAMP_NTZ)));
  RETURN 'done';
END;
$$;

CREATE OR REPLACE TASK "DB1"."GOLD_CANDIDATES"."TOY_SHOP__BEGIN"
WAREHOUSE = "WH"
SCHEDULE = 'USING CRON 0 3 * * * America/New_York'
OVERLAP_POLICY = NO_OVERLAP
AUTOCOMMIT = TRUE, TRANSACTION_ABORT_ON_ERROR = TRUE, ERROR_ON_NONDETERMINISTIC_MERGE = TRUE, QUOTED_IDENTIFIERS_IGNORE_CASE = FALSE, ROWS_PER_RESULTSET = 0, DEFAULT_NULL_ORDERING = 'LAST', TIMEZONE = 'UTC', TIMESTAMP_TYPE_MAPPING = 'TIMESTAMP_NTZ', WEEK_START = 0, WEEK_OF_YEAR_POLICY = 0, DATE_INPUT_FORMAT = 'AUTO', TIME_INPUT_FORMAT = 'AUTO', TIMESTAMP_INPUT_FORMAT = 'AUTO', BINARY_INPUT_FORMAT = 'HEX', DATE_OUTPUT_FORMAT = 'YYYY-MM-DD', TIME_OUTPUT_FORMAT = 'HH24:MI:SS', TIMESTAMP_NTZ_OUTPUT_FORMAT = 'YYYY-MM-DD HH24:MI:SS.FF3', BINARY_OUTPUT_FORMAT = 'HEX', LOCK_TIMEOUT = 600
USER_TASK_TIMEOUT_MS = 14400000
SUSPEND_TASK_AFTER_NUM_FAILURES = 3
COMMENT = '{"tool": "marts", "package": "toy_shop", "group": "default", "digest": "08a323843bef13d5"}'
AS
CALL "DB1"."GOLD_CANDIDATES"."TOY_SHOP__BEGIN"(SYSTEM$TASK_RUNTIME_INFO('CURRENT_TASK_GRAPH_RUN_GROUP_ID'), CAST(CONVERT_TIMEZONE('America/New_York', TO_TIMESTAMP_TZ(SYSTEM$TASK_RUNTIME_INFO('CURRENT_TASK_GRAPH_ORIGINAL_SCHEDULED_TIMESTAMP'))) AS DATE));

CREATE OR REPLACE TASK "DB1"."GOLD_CANDIDATES"."TOY_SHOP__SOURCES"
WAREHOUSE = "WH"
AUTOCOMMIT = TRUE, TRANSACTION_ABORT_ON_ERROR = TRUE, ERROR_ON_NONDETERMINISTIC_MERGE = TRUE, QUOTED_IDENTIFIERS_IGNORE_CASE = FALSE, ROWS_PER_RESULTSET = 0, DEFAULT_NULL_ORDERING = 'LAST', TIMEZONE = 'UTC', TIMESTAMP_TYPE_MAPPING = 'TIMESTAMP_NTZ', WEEK_START = 0, WEEK_OF_YEAR_POLICY = 0, DATE_INPUT_FORMAT = 'AUTO', TIME_INPUT_FORMAT = 'AUTO', TIMESTAMP_INPUT_FORMAT = 'AUTO', BINARY_INPUT_FORMAT = 'HEX', DATE_OUTPUT_FORMAT = 'YYYY-MM-DD', TIME_OUTPUT_FORMAT = 'HH24:MI:SS', TIMESTAMP_NTZ_OUTPUT_FORMAT = 'YYYY-MM-DD HH24:MI:SS.FF3', BINARY_OUTPUT_FORMAT = 'HEX', LOCK_TIMEOUT = 600
COMMENT = '{"tool": "marts", "package": "toy_shop", "group": "default", "digest": "53a60210327add45"}'
AFTER "DB1"."GOLD_CANDIDATES"."TOY_SHOP__BEGIN"
AS
CALL "DB1"."GOLD_CANDIDATES"."TOY_SHOP__SOURCES"(SYSTEM$TASK_RUNTIME_INFO('CURRENT_TASK_GRAPH_RUN_GROUP_ID'));

CREATE OR REPLACE TASK "DB1"."GOLD_CANDIDATES"."TOY_SHOP__BUILD_INT_PAID_ORDERS"
WAREHOUSE = "WH"
AUTOCOMMIT = TRUE, TRANSACTION_ABORT_ON_ERROR = TRUE, ERROR_ON_NONDETERMINISTIC_MERGE = TRUE, QUOTED_IDENTIFIERS_IGNORE_CASE = FALSE, ROWS_PER_RESULTSET = 0, DEFAULT_NULL_ORDERING = 'LAST', TIMEZONE = 'UTC', TIMESTAMP_TYPE_MAPPING = 'TIMESTAMP_NTZ', WEEK_START = 0, WEEK_OF_YEAR_POLICY = 0, DATE_INPUT_FORMAT = 'AUTO', TIME_INPUT_FORMAT = 'AUTO', TIMESTAMP_INPUT_FORMAT = 'AUTO', BINARY_INPUT_FORMAT = 'HEX', DATE_OUTPUT_FORMAT = 'YYYY-MM-DD', TIME_OUTPUT_FORMAT = 'HH24:MI:SS', TIMESTAMP_NTZ_OUTPUT_FORMAT = 'YYYY-MM-DD HH24:MI:SS.FF3', BINARY_OUTPUT_FORMAT = 'HEX', LOCK_TIMEOUT = 600
COMMENT = '{"tool": "marts", "package": "toy_shop", "group": "default", "digest": "12423e6f5d00c210"}'
AFTER "DB1"."GOLD_CANDIDATES"."TOY_SHOP__SOURCES"
AS
CALL "DB1"."GOLD_CANDIDATES"."TOY_SHOP__BUILD_INT_PAID_ORDERS"(SYSTEM$TASK_RUNTIME_INFO('CURRENT_TASK_GRAPH_RUN_GROUP_ID'));

CREATE OR REPLACE TASK "DB1"."GOLD_CANDIDATES"."TOY_SHOP__BUILD_CUSTOMER_TOTALS"
WAREHOUSE = "WH"
AUTOCOMMIT = TRUE, TRANSACTION_ABORT_ON_ERROR = TRUE, ERROR_ON_NONDETERMINISTIC_MERGE = TRUE, QUOTED_IDENTIFIERS_IGNORE_CASE = FALSE, ROWS_PER_RESULTSET = 0, DEFAULT_NULL_ORDERING = 'LAST', TIMEZONE = 'UTC', TIMESTAMP_TYPE_MAPPING = 'TIMESTAMP_NTZ', WEEK_START = 0, WEEK_OF_YEAR_POLICY = 0, DATE_INPUT_FORMAT = 'AUTO', TIME_INPUT_FORMAT = 'AUTO', TIMESTAMP_INPUT_FORMAT = 'AUTO', BINARY_INPUT_FORMAT = 'HEX', DATE_OUTPUT_FORMAT = 'YYYY-MM-DD', TIME_OUTPUT_FORMAT = 'HH24:MI:SS', TIMESTAMP_NTZ_OUTPUT_FORMAT = 'YYYY-MM-DD HH24:MI:SS.FF3', BINARY_OUTPUT_FORMAT = 'HEX', LOCK_TIMEOUT = 600
COMMENT = '{"tool": "marts", "package": "toy_shop", "group": "default", "digest": "0dad28f4dcce88f4"}'
AFTER "DB1"."GOLD_CANDIDATES"."TOY_SHOP__BUILD_INT_PAID_ORDERS"
AS
CALL "DB1"."GOLD_CANDIDATES"."TOY_SHOP__BUILD_CUSTOMER_TOTALS"(SYSTEM$TASK_RUNTIME_INFO('CURRENT_TASK_GRAPH_RUN_GROUP_ID'));

CREATE OR REPLACE TASK "DB1"."GOLD_CANDIDATES"."TOY_SHOP__BUILD_MODEL_SALES"
WAREHOUSE = "WH"
AUTOCOMMIT = TRUE, TRANSACTION_ABORT_ON_ERROR = TRUE, ERROR_ON_NONDETERMINISTIC_MERGE = TRUE, QUOTED_IDENTIFIERS_IGNORE_CASE = FALSE, ROWS_PER_RESULTSET = 0, DEFAULT_NULL_ORDERING = 'LAST', TIMEZONE = 'UTC', TIMESTAMP_TYPE_MAPPING = 'TIMESTAMP_NTZ', WEEK_START = 0, WEEK_OF_YEAR_POLICY = 0, DATE_INPUT_FORMAT = 'AUTO', TIME_INPUT_FORMAT = 'AUTO', TIMESTAMP_INPUT_FORMAT = 'AUTO', BINARY_INPUT_FORMAT = 'HEX', DATE_OUTPUT_FORMAT = 'YYYY-MM-DD', TIME_OUTPUT_FORMAT = 'HH24:MI:SS', TIMESTAMP_NTZ_OUTPUT_FORMAT = 'YYYY-MM-DD HH24:MI:SS.FF3', BINARY_OUTPUT_FORMAT = 'HEX', LOCK_TIMEOUT = 600
COMMENT = '{"tool": "marts", "package": "toy_shop", "group": "default", "digest": "59fc63363ce0c9e0"}'
AFTER "DB1"."GOLD_CANDIDATES"."TOY_SHOP__BUILD_INT_PAID_ORDERS"
AS
CALL "DB1"."GOLD_CANDIDATES"."TOY_SHOP__BUILD_MODEL_SALES"(SYSTEM$TASK_RUNTIME_INFO('CURRENT_TASK_GRAPH_RUN_GROUP_ID'));

CREATE OR REPLACE TASK "DB1"."GOLD_CANDIDATES"."TOY_SHOP__BUILD_SHOP_OVERVIEW"
WAREHOUSE = "WH"
AUTOCOMMIT = TRUE, TRANSACTION_ABORT_ON_ERROR = TRUE, ERROR_ON_NONDETERMINISTIC_MERGE = TRUE, QUOTED_IDENTIFIERS_IGNORE_CASE = FALSE, ROWS_PER_RESULTSET = 0, DEFAULT_NULL_ORDERING = 'LAST', TIMEZONE = 'UTC', TIMESTAMP_TYPE_MAPPING = 'TIMESTAMP_NTZ', WEEK_START = 0, WEEK_OF_YEAR_POLICY = 0, DATE_INPUT_FORMAT = 'AUTO', TIME_INPUT_FORMAT = 'AUTO', TIMESTAMP_INPUT_FORMAT = 'AUTO', BINARY_INPUT_FORMAT = 'HEX', DATE_OUTPUT_FORMAT = 'YYYY-MM-DD', TIME_OUTPUT_FORMAT = 'HH24:MI:SS', TIMESTAMP_NTZ_OUTPUT_FORMAT = 'YYYY-MM-DD HH24:MI:SS.FF3', BINARY_OUTPUT_FORMAT = 'HEX', LOCK_TIMEOUT = 600
COMMENT = '{"tool": "marts", "package": "toy_shop", "group": "default", "digest": "6ef196b778394e0a"}'
AFTER "DB1"."GOLD_CANDIDATES"."TOY_SHOP__BUILD_CUSTOMER_TOTALS", "DB1"."GOLD_CANDIDATES"."TOY_SHOP__BUILD_MODEL_SALES"
AS
CALL "DB1"."GOLD_CANDIDATES"."TOY_SHOP__BUILD_SHOP_OVERVIEW"(SYSTEM$TASK_RUNTIME_INFO('CURRENT_TASK_GRAPH_RUN_GROUP_ID'));

CREATE OR REPLACE TASK "DB1"."GOLD_CANDIDATES"."TOY_SHOP__PUBLISH"
WAREHOUSE = "WH"
AUTOCOMMIT = TRUE, TRANSACTION_ABORT_ON_ERROR = TRUE, ERROR_ON_NONDETERMINISTIC_MERGE = TRUE, QUOTED_IDENTIFIERS_IGNORE_CASE = FALSE, ROWS_PER_RESULTSET = 0, DEFAULT_NULL_ORDERING = 'LAST', TIMEZONE = 'UTC', TIMESTAMP_TYPE_MAPPING = 'TIMESTAMP_NTZ', WEEK_START = 0, WEEK_OF_YEAR_POLICY = 0, DATE_INPUT_FORMAT = 'AUTO', TIME_INPUT_FORMAT = 'AUTO', TIMESTAMP_INPUT_FORMAT = 'AUTO', BINARY_INPUT_FORMAT = 'HEX', DATE_OUTPUT_FORMAT = 'YYYY-MM-DD', TIME_OUTPUT_FORMAT = 'HH24:MI:SS', TIMESTAMP_NTZ_OUTPUT_FORMAT = 'YYYY-MM-DD HH24:MI:SS.FF3', BINARY_OUTPUT_FORMAT = 'HEX', LOCK_TIMEOUT = 600
COMMENT = '{"tool": "marts", "package": "toy_shop", "group": "default", "digest": "70ab28cfc85587e0"}'
AFTER "DB1"."GOLD_CANDIDATES"."TOY_SHOP__BUILD_SHOP_OVERVIEW"
AS
CALL "DB1"."GOLD_CANDIDATES"."TOY_SHOP__PUBLISH"(SYSTEM$TASK_RUNTIME_INFO('CURRENT_TASK_GRAPH_RUN_GROUP_ID'));

CREATE OR REPLACE TASK "DB1"."GOLD_CANDIDATES"."TOY_SHOP__FINISH"
WAREHOUSE = "WH"
AUTOCOMMIT = TRUE, TRANSACTION_ABORT_ON_ERROR = TRUE, ERROR_ON_NONDETERMINISTIC_MERGE = TRUE, QUOTED_IDENTIFIERS_IGNORE_CASE = FALSE, ROWS_PER_RESULTSET = 0, DEFAULT_NULL_ORDERING = 'LAST', TIMEZONE = 'UTC', TIMESTAMP_TYPE_MAPPING = 'TIMESTAMP_NTZ', WEEK_START = 0, WEEK_OF_YEAR_POLICY = 0, DATE_INPUT_FORMAT = 'AUTO', TIME_INPUT_FORMAT = 'AUTO', TIMESTAMP_INPUT_FORMAT = 'AUTO', BINARY_INPUT_FORMAT = 'HEX', DATE_OUTPUT_FORMAT = 'YYYY-MM-DD', TIME_OUTPUT_FORMAT = 'HH24:MI:SS', TIMESTAMP_NTZ_OUTPUT_FORMAT = 'YYYY-MM-DD HH24:MI:SS.FF3', BINARY_OUTPUT_FORMAT = 'HEX', LOCK_TIMEOUT = 600
COMMENT = '{"tool": "marts", "package": "toy_shop", "group": "default", "digest": "7a2b57014490347b"}'
FINALIZE = "DB1"."GOLD_CANDIDATES"."TOY_SHOP__BEGIN"
AS
CALL "DB1"."GOLD_CANDIDATES"."TOY_SHOP__FINISH"(SYSTEM$TASK_RUNTIME_INFO('CURRENT_TASK_GRAPH_RUN_GROUP_ID'));

ALTER TASK "DB1"."GOLD_CANDIDATES"."TOY_SHOP__FINISH" RESUME;

SELECT SYSTEM$TASK_DEPENDENTS_ENABLE('"DB1"."GOLD_CANDIDATES"."TOY_SHOP__BEGIN"');

